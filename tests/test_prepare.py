"""The door `python -m sct.prepare`, on a folder of pairs that the phantom did not write."""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from sct import prepare as door
from sct._door import config_folder, register_resolvers
from sct.core.errors import SctError
from sct.preparation.settings import PrepareSettings

SMALL = ["prepare.size_px=16", "prepare.spacing_mm=8", "prepare.jobs=1"]


def config(*overrides):
    register_resolvers()
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose("prepare", list(overrides))


@pytest.fixture
def clinic(tmp_path, monkeypatch):
    """A cohort folder without participants.tsv; two heads as spheres, the MR in another order of axes."""
    monkeypatch.chdir(tmp_path)
    for name in ("pat1", "pat2"):
        folder = tmp_path / "clinic" / name
        folder.mkdir(parents=True)
        x, y, z = np.meshgrid(*[np.arange(-9.5, 10)] * 3, indexing="ij")
        radius = np.sqrt(x**2 + y**2 + z**2) * 8
        hu = np.where(radius < 50, 900.0, np.where(radius < 60, 30.0, -1000.0))
        mr = np.where(radius < 60, 500.0 + 10 * x, 3.0)
        affine = np.diag([8.0, 8.0, 8.0, 1.0])
        affine[:3, 3] = -76
        nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), folder / "ct.nii.gz")
        image = nib.Nifti1Image(mr.astype(np.float32), affine)
        nib.save(image.as_reoriented(nib.orientations.axcodes2ornt("PIR")), folder / "mr.nii.gz")
    return tmp_path / "clinic"


def run_door(monkeypatch, *arguments):
    GlobalHydra.instance().clear()
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)  # which the door sets for its own process
    monkeypatch.setattr(sys, "argv", ["sct.prepare", *arguments])
    door.main()


def test_a_folder_is_prepared_and_then_up_to_date(clinic, monkeypatch, capsys):
    arguments = ["cohort=folder", f"cohort.root={clinic}", *SMALL]
    run_door(monkeypatch, *arguments)
    first = capsys.readouterr().out
    assert "store: data/clinic/store-resize-16px-8mm" in first.replace("8.0mm", "8mm")
    assert first.count("prepared") == 2
    assert "contact sheets: " in first
    run_door(monkeypatch, *arguments)
    assert capsys.readouterr().out.count("up to date") == 2
    # nothing of Hydra's own
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["clinic", "data"]
    assert [path.name for path in Path("data").iterdir()] == ["clinic"]


def test_who_cannot_be_used_is_left_out_of_the_store_and_named(clinic):
    (clinic / "pat2" / "ct.nii.gz").write_bytes(b"\x1f\x8b")
    cfg = config("cohort=folder", "cohort.root=clinic", "prepare.on_error=skip", *SMALL)
    report = door.ensure_prepared(cfg)
    assert report.store.participant_ids == ["pat1"]
    assert report.store.settings["size_px"] == 16
    assert "pat2" in report.failed["pat2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cohort=folder"], "cohort.root is missing"),
        (["cohort=folder", "cohort.root=nowhere"], "nowhere"),
        (["cohort=folder", "cohort.root=clinic", "+cohort.where.vendor=GE"], "vendor"),
        (["cohort=folder", "cohort.root=clinic", "prepare.size_px=5"], "prepare.size_px=5"),
        (["cohort=folder", "cohort.root=clinic", "prepare.size=96"], "prepare.size"),
        (["cohort=fantom"], "phantom"),
        (["cohort=folder", "cohort.root=["], ""),
    ],
)
def test_mistakes_are_one_line(clinic, monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        run_door(monkeypatch, *arguments)
    assert caught.value.code in (1, 2)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("cohort", "size_px", "spacing_mm"), [("phantom", 96, 2.0), ("phantom39", 224, 1.0), ("phantom39_inst1", 224, 1.0)]
)
def test_cohorts_bring_their_size_and_the_command_line_rules(cohort, size_px, spacing_mm):
    cfg = config(f"cohort={cohort}")
    assert (cfg.prepare.size_px, cfg.prepare.spacing_mm) == (size_px, spacing_mm)
    assert cfg.prepare.store == f"data/{cohort}/store-resize-{size_px}px-{spacing_mm}mm"
    cfg = config(f"cohort={cohort}", "prepare.size_px=48", "prepare.spacing_mm=3.0")
    assert cfg.prepare.store == f"data/{cohort}/store-resize-48px-3.0mm"


def test_a_folders_name_is_the_cohorts_by_default(tmp_path):
    assert config("cohort=folder", f"cohort.root={tmp_path}/").cohort.name == tmp_path.name
    assert config("cohort=folder", f"cohort.root={tmp_path}", "cohort.name=mine").cohort.name == "mine"


def test_defaults_in_the_configuration_are_those_of_the_settings():
    node = OmegaConf.to_container(config("cohort=phantom39").prepare, resolve=True)
    assert PrepareSettings.from_plain(node) == PrepareSettings()


def test_a_configuration_that_is_no_mapping_is_refused():
    with pytest.raises(SctError, match="cohort: must be a mapping"):
        door.ensure_prepared(OmegaConf.create({"cohort": [1], "prepare": {}}))
