"""docs/fidelity.md cites only what is there: paths, tests, configuration keys and their values."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = [quote for quote in QUOTED if re.match(r"(sct|tests|conf|docs)/", quote)]
OVERRIDES = [quote for quote in QUOTED if re.fullmatch(r"[a-z][\w.]*=\S+( [a-z][\w.]*=\S+)*", quote)]
GROUPS = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
SUMMARY = [quote for quote in OVERRIDES if quote.startswith("summary.")]


@cache
def composed(*words: str, config: str = "run") -> DictConfig:
    # The cohort at the paper's size, unless the words name another one.
    cohort = () if any(word.startswith("cohort=") for word in words) else ("cohort=phantom39",)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(config, [*cohort, *words])


@cache
def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("quote", PATHS)
def test_paths_and_tests_exist(quote: str) -> None:
    path, _, function = quote.partition("::")
    assert (ROOT / path).exists()
    if function:
        assert function in functions_of(ROOT / path)


def test_tests_are_cited_with_their_function() -> None:
    assert len(PATHS) > 100
    assert [quote for quote in PATHS if quote.startswith("tests/") and "::" not in quote] == ["tests/test_fidelity.py"]


@pytest.mark.parametrize("quote", [quote for quote in OVERRIDES if quote not in SUMMARY])
def test_keys_exist(quote: str) -> None:
    composed(*quote.split())


@pytest.mark.parametrize("quote", SUMMARY)
def test_keys_of_the_summary_exist(quote: str) -> None:
    composed(quote, config="summarize")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str, column: int) -> list[str]:
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [line.split(" | ")[column].strip(" |") for line in lines]


DEFAULTS = {cell for cell in rows("Assumptions", 1) + rows("Deviations", 2) if cell != "not a key"}


@pytest.mark.parametrize("cell", sorted(DEFAULTS))
def test_keys_have_the_values_the_page_says(cell: str) -> None:
    quote = re.fullmatch(r"`([^`]+)`", cell)
    assert quote, "a row without its key"
    words = quote.group(1).split()
    choices = [word for word in words if word.partition("=")[0] in GROUPS]
    config = composed(*choices, config="summarize")  # which has the keys of the run, too
    for word in words:
        key, _, value = word.partition("=")
        if key not in GROUPS:
            stated = yaml.safe_load(value)
            found = OmegaConf.select(config, key, throw_on_missing=True)
            assert (OmegaConf.to_container(found) if OmegaConf.is_config(found) else found) == stated


def test_the_papers_values_are_the_defaults() -> None:
    stated = section("What the paper says")
    for quote in re.findall(r"`([a-z]+(?:\.\w+)+)=([^`\s]+)`", stated):
        key, value = quote
        if key != "prepare.registration":  # the one that is another choice; see Deviations
            assert OmegaConf.select(composed(), key) == yaml.safe_load(value), key


def test_every_row_of_the_method_names_code_and_test() -> None:
    table = [line for line in section("What the paper says").splitlines() if line.startswith("| ")]
    for line in table:
        _, code, held = line.strip("| ").split(" | ")
        if code != "In the code":
            assert "`" in code, line
            assert "`tests/" in held or held.startswith("none: "), line
