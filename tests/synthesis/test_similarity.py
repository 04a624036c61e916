"""Similarity against scikit-image, scipy and torchmetrics."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from scipy.stats import pearsonr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import peak_signal_noise_ratio as torchmetrics_psnr

from sct.synthesis.similarity import error_figures, ms_ssim, ssim_map

RANGE = 4095.0


def pair(shape, seed=0):
    rng = np.random.default_rng(seed)
    reference = gaussian_filter(rng.normal(size=shape), 2)
    reference = (reference - reference.min()) / np.ptp(reference) * RANGE
    return reference, np.clip(reference + gaussian_filter(rng.normal(0, 2000, shape), 1), 0, RANGE)


def test_ssim_is_scikit_images():
    reference, test = pair((30, 25, 20))
    value, full = structural_similarity(reference, test, data_range=RANGE, full=True)
    ours = ssim_map(reference, test, RANGE)
    assert np.allclose(ours, full, atol=1e-4)
    assert ours[3:-3, 3:-3, 3:-3].mean() == pytest.approx(value, abs=1e-5)


def test_ssim_of_a_stack_is_that_of_its_slices():
    reference, test = pair((5, 25, 20))
    maps = [structural_similarity(x, y, data_range=RANGE, full=True)[1] for x, y in zip(reference, test, strict=True)]
    assert np.allclose(ssim_map(reference, test, RANGE, axes=(1, 2)), maps, atol=1e-4)


def test_errors_are_those_of_numpy_scipy_scikit_image_and_torchmetrics():
    reference, test = pair((12, 12, 12))
    inside = np.random.default_rng(1).random(reference.shape) < 0.5
    x, y = reference[inside], test[inside]
    figures = error_figures(reference, test, inside, RANGE)
    assert figures["mae_hu"] == pytest.approx(np.abs(x - y).mean())
    assert figures["mse_hu2"] == pytest.approx(((x - y) ** 2).mean())
    assert figures["pearson_r"] == pytest.approx(pearsonr(x, y).statistic)
    assert figures["psnr_db"] == pytest.approx(peak_signal_noise_ratio(x, y, data_range=RANGE))
    ours = torchmetrics_psnr(torch.from_numpy(y), torch.from_numpy(x), data_range=RANGE)
    assert figures["psnr_db"] == pytest.approx(float(ours), abs=1e-4)


def test_equal_constant_and_empty():
    reference, _ = pair((12, 12, 12))
    everywhere, nowhere = np.ones(reference.shape, bool), np.zeros(reference.shape, bool)
    same = error_figures(reference, reference, everywhere, RANGE)
    assert (same["mae_hu"], same["psnr_db"]) == (0, None)
    assert error_figures(reference, np.zeros_like(reference), everywhere, RANGE)["pearson_r"] is None
    assert set(error_figures(reference, reference, nowhere, RANGE).values()) == {0, None}
    assert ms_ssim(reference, reference, nowhere, RANGE) is None
    assert ms_ssim(reference, reference, everywhere, RANGE) == pytest.approx(1, abs=1e-5)


def test_ms_ssim_against_a_plain_formulation():
    """Scale by scale with scikit-image's map split into its terms, and the box by Fourier transform."""
    reference, test = pair((100, 97, 40))  # the last axis is padded to 97
    inside = np.zeros(reference.shape, bool)
    inside[10:-10, 8:-8, 5:-5] = True
    x, y = (np.pad(image, [(0, 0), (0, 0), (28, 29)], mode="edge") for image in (reference, test))
    mask = np.pad(inside, [(0, 0), (0, 0), (28, 29)], mode="edge")
    expected = 1.0
    for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333):
        full = structural_similarity(x, y, data_range=RANGE, full=True)[1]
        # one weight for the three terms: the power of their product, as long as no term is negative
        local = np.clip(full, 0, None) ** weight
        inner = (slice(3, -3),) * 3
        expected *= local[inner][mask[inner]].mean()
        x, y = (fftconvolve(image, np.ones((2, 2, 2)) / 8, mode="same")[::2, ::2, ::2] for image in (x, y))
        mask = mask[::2, ::2, ::2]
    assert ms_ssim(reference, test, inside, RANGE) == pytest.approx(expected, abs=2e-3)
