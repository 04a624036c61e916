"""Phantom heads of 1 mm as files, made once and shared by the stages that need volumes."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks import networks
from benchmarks.child import threads
from benchmarks.harness import Plan, Side

__all__ = ["checkpoint_in", "cohort_in", "head_in", "setup"]

SHAPE = (190, 230, 190)
"""Voxels of 1 mm of the head that is predicted and compared."""


def setup(plan: Plan, participants: int = 2) -> Side:
    """Makes a cohort, the stretched head and a checkpoint in the scratch folder, unless they are there."""
    arguments = {"scratch": str(plan.scratch), "participants": participants, "spacing_mm": 8.0 if plan.tiny else 1.0}
    return Side("benchmarks.heads:make", arguments)


def cohort_in(scratch: str | Path) -> Path:
    """The cohort's folder."""
    return Path(scratch) / "cohort"


def head_in(scratch: str | Path, name: str) -> Path:
    """The stretched head: `mr`, `ct` or `test`, the CT blurred and with noise."""
    return Path(scratch) / f"head-{name}.nii.gz"


def checkpoint_in(scratch: str | Path) -> Path:
    """A Light U-Net with random weights."""
    return Path(scratch) / "light_unet.ckpt"


def make(scratch: str, participants: int, spacing_mm: float) -> dict[str, Any]:
    """Make what is missing."""
    folder = Path(scratch)
    if not checkpoint_in(folder).exists():
        from sct.head_phantom.cohort import write_phantom_cohort
        from sct.head_phantom.settings import PhantomSettings

        settings = PhantomSettings(participants=participants, spacing_mm=spacing_mm)
        write_phantom_cohort(cohort_in(folder), settings, threads())
        _write_head(folder, spacing_mm)
        write_checkpoint(checkpoint_in(folder), spacing_mm, 224 if spacing_mm < 4 else 32)
    return {"value": 0.0}


def _write_head(folder: Path, spacing_mm: float) -> None:
    from sct.core.volume import Volume
    from sct.io.volumes import read_volume, write_volume

    source = sorted(path.parent for path in cohort_in(folder).glob("*/ct.nii.gz"))[0]
    shape = SHAPE if spacing_mm < 4 else (24, 28, 24)
    affine = np.diag([spacing_mm] * 3 + [1.0])
    for name in ("mr", "ct"):
        data = np.asarray(read_volume(source / f"{name}.nii.gz").data, np.float32)
        stretched = ndimage.zoom(data, np.divide(shape, data.shape), order=1)
        write_volume(Volume(stretched.astype(np.float32), affine), head_in(folder, name))
    noise = np.random.default_rng(0).normal(0, 30, stretched.shape)
    test = ndimage.gaussian_filter(stretched, 0.8) + noise
    write_volume(Volume(test.astype(np.float32), affine), head_in(folder, "test"))


def write_checkpoint(path: Path, spacing_mm: float, size_px: int) -> None:
    """A checkpoint that `sct.predict` takes, of a network that was not trained."""
    import torch

    from sct.preparation.settings import PrepareSettings

    network = networks.make("light_unet")
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    hyper_parameters = {
        "model": {"_target_": "sct.models.light_unet.LightUNet"},
        "loss": {"name": "mae"},
        "prepare": PrepareSettings(size_px=size_px, spacing_mm=spacing_mm).to_plain(),
        "domain": {},
        "sct_version": "0",
    }
    torch.save({"state_dict": state, "hyper_parameters": hyper_parameters}, path)


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
