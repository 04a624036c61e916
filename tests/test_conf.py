"""Every YAML of conf/ is composed and what it describes is made; every experiment runs one tiny cell."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from doors import Doors
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from sct._door import config_folder, register_resolvers
from sct._sweep import plan_cells
from sct.study.subsets import subset_of
from sct.training.task import adam

CONF = config_folder()
DOORS = sorted(path.stem for path in CONF.glob("*.yaml"))
CHOICES = sorted(f"{path.parent.relative_to(CONF)}={path.stem}" for path in CONF.rglob("*.yaml") if path.parent != CONF)
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
REQUIRED = {
    "cohort=folder": ["cohort.root=somewhere"],
    "model=own": ["model.name=mine", "model.network._target_=sct.models.light_unet.LightUNet"],
    "model=vgg_unet_tl": ["model.encoder_weights=null"],
}
"""What a choice leaves to its user, or would fetch."""


def composed(door: str, words: list[str], with_hydra: bool = False) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(door, words, return_hydra_config=with_hydra)


def make_everything(node: Any) -> int:
    """Instantiate every `_target_` below a node; how many there were."""
    if not OmegaConf.is_config(node):
        return 0
    if OmegaConf.is_dict(node) and "_target_" in node:
        assert instantiate(node) is not None
        return 1
    return sum(make_everything(node[key]) for key in (node if OmegaConf.is_dict(node) else range(len(node))))


@pytest.mark.parametrize("door", DOORS)
def test_every_doors_configuration_is_whole(door: str) -> None:
    config = composed(door, [])
    assert OmegaConf.missing_keys(config) == set()
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert make_everything(config) == (0 if door == "prepare" else 4)  # network, loss, augmentation, optimiser


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_is_made(choice: str) -> None:
    from sct.training.fitting import TrainerSettings

    words = [choice, *REQUIRED.get(choice, [])]
    launcher = composed("run", words, with_hydra=True).hydra.launcher
    assert launcher._target_.rpartition(".")[2] == ("SlurmLauncher" if choice == "launcher=slurm" else "BasicLauncher")
    config = composed("run", words)
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)
    assert make_everything(config) == 4
    TrainerSettings(**plain["trainer"])
    group, _, name = choice.partition("=")
    if group in {"launcher", "logger"}:
        assert plain[group]["name"] == name
    text = (CONF / group / f"{name}.yaml").read_text()
    assert text.startswith("#"), "the first line says what the choice is"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_first_comment_of_an_experiment_is_its_command(name: str) -> None:
    lines = (CONF / "experiment" / f"{name}.yaml").read_text().splitlines()
    first = lines[1] if lines[0] == "# @package _global_" else lines[0]  # Hydra reads a package from line 1 only
    command = shlex.split(first.removeprefix("# ").split("  ")[0])
    assert command[:3] == ["python", "-m", "sct.run"]
    assert name == "main" or f"experiment={name}" in command
    words = [word for word in command[3:] if not word.startswith("-")]
    cells = [planned.cell for planned in plan_cells(words).cells]
    assert cells
    column = composed("run", words).experiment.column
    if column is None:
        assert {cell.experiment for cell in cells} == {name}
    else:
        subsets = [subset_of(cell.experiment) for cell in cells]
        assert {(subset.column, subset.condition) for subset in subsets if subset} == {
            (column, condition) for condition in ("baseline", "separate", "augmented")
        }
        assert None not in subsets


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_runs_one_tiny_cell(tiny: Doors, name: str) -> None:
    words = [f"experiment={name}", "model=light_unet", "loss=mae", "seed=0", "fold=0", "trainer.max_epochs=1"]
    if "condition: baseline" in (CONF / "experiment" / f"{name}.yaml").read_text():
        words += ["data.n_folds=2", "experiment.column=institution", "experiment.value=1"]
        words += ["experiment.condition=separate"]
    answer = tiny.run(*words)
    assert answer.code == 0, answer.err
    (done,) = (tiny.folder / "runs").rglob("fold-0/metrics.json")
    assert OmegaConf.load(done.with_name("config.yaml")).experiment.name == done.parts[-6]


def test_an_experiment_may_set_any_value() -> None:
    own = OmegaConf.load(CONF / "experiment" / "demo.yaml")
    config = composed("run", ["experiment=demo"])
    assert config.prepare.size_px == own.prepare.size_px != composed("run", []).prepare.size_px
    assert config.prepare.store == f"data/phantom/store-resize-{own.prepare.size_px}px-{own.prepare.spacing_mm}mm"
    assert (config.data.batch_size, config.augment.flip_probability) == (own.data.batch_size, 0.0)
    assert composed("run", ["experiment=demo", "data.batch_size=4"]).data.batch_size == 4


def test_the_tasks_own_optimiser_is_the_configurations() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    assert adam(parameters).defaults == instantiate(composed("run", []).optim)(parameters).defaults


def test_no_file_is_outside_the_groups() -> None:
    groups = {"cohort", "model", "loss", "augment", "optim", "trainer", "logger", "launcher", "experiment"}
    assert {Path(choice.partition("=")[0]).as_posix() for choice in CHOICES} == groups
