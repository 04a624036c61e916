"""The soft-tissue peak and the bias field against scikit-image, scipy and known images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from sct.baselines.intensity import local_soft_tissue, otsu_level, slice_histogram, soft_tissue_peak


def head(peak: float, seed: int = 0, size: int = 48) -> torch.Tensor:
    """A disc of soft tissue with a ring of dark bone, black outside: (1, 1, size, size)."""
    rows, cols = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(rows, cols) / (size / 2)
    noise = np.random.default_rng(seed).normal(0, 0.02, (size, size))
    image = np.where(radius < 0.9, peak * (1 + noise), 0)
    image = np.where((radius > 0.6) & (radius < 0.75), 0.4 * peak * (1 + noise), image)
    return torch.from_numpy(np.round(image * 255) / 255).float().reshape(1, 1, size, size)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 255), min_size=2, max_size=200).filter(lambda levels: len(set(levels)) > 1))
def test_otsu_parts_like_scikit_image(levels: list[int]) -> None:
    mr = torch.tensor(levels, dtype=torch.float32).reshape(1, 1, 1, -1) / 255
    ours = int(otsu_level(slice_histogram(mr)))
    theirs = threshold_otsu(np.array(levels, np.uint8))
    # Between two occupied levels every threshold parts alike.
    assert [level > ours for level in levels] == [level > theirs for level in levels]


def test_histogram_counts_each_slice_apart() -> None:
    mr = torch.stack([torch.full((1, 4, 4), 10 / 255), torch.zeros(1, 4, 4)])
    counts = slice_histogram(mr)
    assert counts[0, 10] == 16
    assert counts.sum() == 16


@pytest.mark.parametrize("peak", [0.2, 0.5, 0.9])
def test_peak_is_the_soft_tissue_not_the_bone(peak: float) -> None:
    assert soft_tissue_peak(head(peak)).item() == pytest.approx(peak, rel=0.03)


def test_peak_of_an_empty_slice_is_nan() -> None:
    assert soft_tissue_peak(torch.zeros(1, 1, 32, 32)).isnan().all()


def test_peaks_of_a_batch_equal_one_by_one() -> None:
    slices = [head(0.3, 1), head(0.8, 2), torch.zeros(1, 1, 48, 48)]
    together = soft_tissue_peak(torch.cat(slices))
    torch.testing.assert_close(together, torch.cat([soft_tissue_peak(s) for s in slices]), equal_nan=True)


def test_local_soft_tissue_of_a_flat_slice_is_its_value() -> None:
    flat = torch.full((1, 1, 40, 40), 0.5)
    flat[..., 10:20, 10:20] = 0.1
    torch.testing.assert_close(
        local_soft_tissue(flat, torch.tensor([0.5])), torch.full_like(flat, 0.5), atol=1e-5, rtol=0
    )


def test_bias_correction_takes_out_a_smooth_field() -> None:
    mr = head(0.6)
    field = torch.linspace(0.7, 1.3, mr.shape[-1])
    peak = soft_tissue_peak(mr)
    soft = mr > 0.5
    uneven = (mr * field)[soft]
    even = (mr * field / local_soft_tissue(mr * field, peak))[soft]
    assert even.std() / even.mean() < 0.4 * uneven.std() / uneven.mean()
