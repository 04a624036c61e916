"""What the CT scanner adds to the anatomy: streaks of metal, noise, a head rest, and nothing that moves HU."""

import numpy as np
import pytest

from sct.head_phantom.ct_scan import CtProtocol, scan_ct
from sct.head_phantom.grid import Grid

N = 56
GRID = Grid((0.5 - N / 2,) * 3, 1.0, (N,) * 3)
AXIS = GRID.axis_mm(0)
FROM_MIDDLE = np.hypot(AXIS[:, None, None], AXIS[None, :, None]) + np.zeros(N)


def scanned(metal=None, gap_mm=400.0, **changes):
    """A water cylinder of radius 20 mm; without changes the scanner adds nothing, and its rest is out of sight."""
    hu = np.where(FROM_MIDDLE < 20, 0.0, -1000.0).astype(np.float32)
    values = {
        "blur_mm": 0.0, "slice_blur_mm": 0.0, "sharpening": 0.0, "noise_hu": 0.0, "cupping_hu": 0.0,
        "rest_gap_mm": gap_mm, "rest_radius_mm": 100.0, "rest_hu": 100.0, "pad_mm": 0.0,
    }  # fmt: skip
    metal = np.zeros_like(hu) if metal is None else metal
    return scan_ct(hu, metal, GRID, CtProtocol(**values | changes), np.random.default_rng(0)).astype(float)


def test_a_perfect_scanner_shows_the_anatomy():
    assert np.array_equal(scanned(), np.where(FROM_MIDDLE < 20, 0, -1000))


def test_metal_streaks_within_its_slices_only():
    metal = np.zeros((N, N, N), np.float32)
    metal[26:30, 26:29, 30] = 1
    change = scanned(metal) - scanned()
    assert {int(k) for k in np.flatnonzero(np.abs(change).max(axis=(0, 1)))} == {30}
    far = change[:, :, 30][(FROM_MIDDLE[:, :, 30] > 10) & (FROM_MIDDLE[:, :, 30] < 18)]
    assert far.min() < -50  # dark rays and bright ones
    assert far.max() > 50
    assert far.std() > 20


def test_noise_has_no_mean_and_is_stronger_in_thick_parts():
    change = scanned(noise_hu=30.0) - scanned()
    inside, outside = change[FROM_MIDDLE < 15], change[FROM_MIDDLE > 24]
    assert abs(inside.mean()) < 1
    assert 10 < inside.std() < 30
    assert outside.std() < 0.7 * inside.std()


def test_sharpening_overshoots_at_edges_and_leaves_flat_parts():
    change = scanned(sharpening=0.8) - scanned()
    assert np.abs(change[FROM_MIDDLE < 15]).max() <= 1
    assert change[(FROM_MIDDLE > 18) & (FROM_MIDDLE < 20)].max() > 50


def test_the_head_rest_lies_behind_the_head_in_air():
    change = scanned(gap_mm=3.0) - scanned()
    there = np.argwhere(change > 300)
    assert len(there) > 0
    assert np.all(change[FROM_MIDDLE < 19] == 0)
    assert AXIS[there[:, 1]].max() < -15
    assert scanned(gap_mm=3.0).max() == pytest.approx(100, abs=5)
