"""Settings for all tests: no test depends on time, and two cores are enough."""

import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("WANDB_MODE", "offline")

from pathlib import Path

import pytest
from doors import Doors
from hypothesis import settings

settings.register_profile("sct", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("sct")


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Doors:
    """Doors called in an empty folder."""
    return Doors(tmp_path, monkeypatch, capfd)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `data/` with the tiny phantom cohort made and prepared once."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        from doors import TINY

        import sct.prepare

        patch.setattr("sys.argv", ["sct prepare", *TINY])
        sct.prepare.main()
    return folder / "data"


@pytest.fixture
def tiny(doors: Doors, tiny_data: Path) -> Doors:
    """Doors called in a folder where the tiny phantom cohort is prepared already."""
    shutil.copytree(tiny_data, doors.folder / "data")
    return doors
