"""Seconds for bone surfaces and deviation of two 1 mm heads: `python benchmarks/surface.py [--repeats 3]`.

The reference is the CT of a phantom head, stretched to 190 x 230 x 190 voxels of 1 mm; the test is that CT blurred
(Gaussian, SD 0.8 mm) with noise of 30 HU. Limit: 30 s on two cores for surfaces and deviation.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from sct.core.volume import Volume
from sct.io.volumes import read_volume, write_volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.comparison import SurfaceSettings, compare

__all__ = ["main"]

LIMIT_S = 30.0
SHAPE = (190, 230, 190)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phantom = [sys.executable, "-m", "sct.phantom", str(folder / "cohort"), "--participants", "1"]
        subprocess.run([*phantom, "--spacing-mm", "1"], check=True, capture_output=True)
        reference_path, test_path = folder / "reference.nii.gz", folder / "test.nii.gz"
        phantom_ct = read_volume(next((folder / "cohort").glob("*/ct.nii.gz")))
        stretched = ndimage.zoom(phantom_ct.data, np.divide(SHAPE, phantom_ct.shape), order=1)
        reference = Volume(stretched.astype(np.float32), np.eye(4))
        write_volume(reference, reference_path)
        noise = np.random.default_rng(0).normal(0, 30, reference.shape)
        blurred = ndimage.gaussian_filter(np.asarray(reference.data, dtype=np.float32), 0.8) + noise
        test = Volume(blurred.astype(np.float32), reference.affine)
        write_volume(test, test_path)
        door = [sys.executable, "-m", "sct.surface", str(reference_path), str(test_path), str(folder / "out")]
        print(f"{reference.shape} voxels of 1 mm, {os.cpu_count()} cores, best of {repeats}")
        steps = {
            "one surface": lambda: bone_surface(reference, BoneSettings(), "reference"),
            "two surfaces and deviation both ways": lambda: compare(reference, test, SurfaceSettings()),
            "door: with files, pictures and viewer": lambda: subprocess.run(door, check=True, capture_output=True),
        }
        for step, action in steps.items():
            seconds = min(_seconds(action) for _ in range(repeats))
            print(f"{step:40} {seconds:6.1f} s")
        comparison = compare(reference, test, SurfaceSettings())
        print(f"vertices: {len(comparison.reference.points_mm):,} and {len(comparison.test.points_mm):,}")
        print(f"limit for surfaces and deviation: {LIMIT_S:g} s")


def _seconds(action: object) -> float:
    start = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
