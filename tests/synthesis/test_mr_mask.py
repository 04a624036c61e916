"""The head mask on heads of known shape and the three techniques' contrasts."""

import numpy as np
import pytest
from scipy import ndimage

from sct.slices.planes import PLANES, extract, restore
from sct.synthesis.mr_mask import _filled, _open, head_region, mask_from_region, mask_of_everything, slice_hulls

SHAPE = (48, 56, 52)
SPACING_MM = (4.0, 4.0, 4.0)
# scalp, cortical bone, brain: ZTE shows bone gray, GRE as dark as air
CONTRASTS = {"ZTE": (900, 450, 800), "UTE": (850, 600, 700), "GRE": (700, 20, 900), "T1": (1000, 30, 500)}


def radius():
    grid = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in SHAPE], indexing="ij")
    return np.sqrt(sum((axis / half) ** 2 for axis, half in zip(grid, (18, 22, 20), strict=True)))


def head(contrast, seed=0, shading=0.0, thing=False):
    rng, r = np.random.default_rng(seed), radius()
    scalp, bone, brain = CONTRASTS[contrast]
    mr = np.select([r < 0.8, r < 0.9, r < 1.0], [brain, bone, scalp], 0.0)
    if thing:
        mr[1:3, :, 1:3] = 600  # a head rest
        mr[40:46, 48:54, 40:46] = 600  # a coil element
    mr = mr * (1 + shading * np.linspace(-1, 1, SHAPE[0]))[:, None, None]
    noise = rng.normal(0, 25, (2, *SHAPE))
    return np.hypot(mr + noise[0], noise[1]), r < 1.0


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("thing", [False, True])
@pytest.mark.parametrize("shading", [0.0, 0.4])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_the_head_is_found_whatever_the_contrast(contrast, shading, thing):
    mr, truth = head(contrast, shading=shading, thing=thing)
    region = head_region(mr, SPACING_MM)
    assert dice(region, truth) > 0.95
    assert dice(mask_from_region(region).inside, truth) > 0.95


def test_scale_and_flips_do_not_matter():
    mr, _ = head("GRE")
    region = head_region(mr, SPACING_MM)
    assert np.array_equal(head_region(mr * 37.0, SPACING_MM), region)
    flipped = head_region(mr[::-1, :, ::-1].copy(), SPACING_MM)[::-1, :, ::-1]
    assert dice(flipped, region) > 0.98  # the threshold looks at every other voxel


def test_constant_volume_has_no_head():
    assert not head_region(np.full(SHAPE, 5.0), SPACING_MM).any()
    assert not mask_from_region(np.zeros(SHAPE, bool)).inside.any()


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.5, 0.7, 2.0), (0.35, 2.5, 1.0)])
def test_opening_and_filling_equal_scipy(spacing_mm):
    rng = np.random.default_rng(0)
    distances = np.sqrt(sum((axis * mm) ** 2 for axis, mm in zip(np.ogrid[-6:7, -6:7, -6:7], spacing_mm, strict=True)))
    for shape in ((20, 23, 17), (6, 1, 30)):
        for smoothing in (0.5, 1.0, 2.0):
            foreground = ndimage.gaussian_filter(rng.random(shape), smoothing) > 0.5
            eroded = ndimage.binary_erosion(foreground, distances <= 2.0, border_value=1)
            assert np.array_equal(_open(foreground, spacing_mm), ndimage.binary_dilation(eroded, distances <= 2.0))
            filled = foreground.copy()
            for plane in PLANES:
                for part in extract(filled, plane):
                    part[:] = ndimage.binary_fill_holes(part)
            assert np.array_equal(_filled(foreground), filled)


@pytest.mark.parametrize("plane", PLANES)
def test_hulls_hold_the_region_and_are_convex(plane):
    region = radius() < 1
    hulls = slice_hulls(region, plane)
    assert (hulls | ~extract(region, plane)).all()
    assert np.array_equal(slice_hulls(restore(hulls, plane), plane), hulls)


def test_the_gap_under_the_chin_is_air_and_the_chin_is_not():
    """A neck and a chin before it: the sagittal hull spans the gap, the axial and coronal ones do not."""
    region = np.zeros((30, 40, 40), bool)
    region[8:22, 5:20, :20] = True  # neck, posterior
    region[8:22, 5:36, 20:] = True  # head
    region[10:20, 30:36, 14:20] = True  # chin hangs from the head, in front of the neck
    mask = mask_from_region(region)
    assert not mask.inside[15, 34, 2]
    assert mask.inside[region].all()


def test_none_is_everything():
    mask = mask_of_everything((3, 4, 5))
    assert mask.inside.all()
    assert {plane: part.shape for plane, part in mask.slices.items()} == {
        "axial": (5, 4, 3),
        "coronal": (4, 5, 3),
        "sagittal": (3, 5, 4),
    }
