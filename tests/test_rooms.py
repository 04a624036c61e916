"""Imports go downward only; heavy libraries are imported where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sct

PACKAGE = Path(sct.__file__).parent
# Top to bottom: a room imports from itself and from rooms further down.
ROOMS = [
    "study",
    "synthesis",
    "training",
    "preparation",
    "head_phantom",
    "cohorts",
    "baselines",
    "models",
    "surfaces",
    "slices",
    "geometry",
    "io",
    "core",
]
ONLY_IN_DOORS = {"hydra", "omegaconf", "typer", "wandb"}
HEAVY = {"SimpleITK", "pyvista", "wandb", "segmentation_models_pytorch", "matplotlib", "pandas", "monai", "torchvision"}


def _imports(path: Path, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_every_folder_is_a_known_room() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name not in {"__pycache__", "conf"}}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downward(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    if len(parts) == 1:
        return
    allowed = set(ROOMS[ROOMS.index(parts[0]) :])
    for name in _imports(path):
        if name.startswith("sct."):
            assert name.split(".")[1] in allowed, f"{parts[0]} imports {name}, which lies above it"
        assert name.partition(".")[0] not in ONLY_IN_DOORS, f"{name} belongs to the doors"


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path: Path) -> None:
    tops = {name.partition(".")[0] for name in _imports(path, top_only=True)}
    assert not tops & HEAVY


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_and_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if path.name != "__init__.py":
        targets = [t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)]
        assert "__all__" in targets


def test_the_run_door_needs_no_torch_to_show_its_help() -> None:
    code = "import sys, sct.run; print(int('torch' in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "0"
