"""Similarity of two volumes inside a mask: errors, correlation, PSNR, SSIM and MS-SSIM.

SSIM is that of Wang et al., IEEE TIP 2004;13:600-12, with the cubic 7-voxel window and sample covariance of
scikit-image. MS-SSIM follows the evaluation code of SynthRAD2025 (github.com/SynthRAD2025/evaluation,
`image_metrics.py`; after Wang, Simoncelli & Bovik 2003): at five scales the product of luminance, contrast and
structure, each to the power of the scale's weight, averaged over the mask; the product over the scales.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["error_figures", "ms_ssim", "ssim_map"]

_SIDE = 7  # of the window in voxels: scikit-image's default
_K1, _K2 = 0.01, 0.03  # Wang et al. 2004
_SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli & Bovik 2003

Float = NDArray[np.floating]


def error_figures(
    reference: NDArray[np.floating], test: NDArray[np.floating], inside: NDArray[np.bool_], data_range: float
) -> dict[str, float | int | None]:
    """MAE, MSE, Pearson R and PSNR of the voxels of a mask.

    Args:
        reference: Array of any shape, HU.
        test: Array of the same shape, HU.
        inside: Array of the same shape; without a voxel every figure is None.
        data_range: Peak of the PSNR in HU.

    Returns:
        `n_voxels`, `mae_hu`, `mse_hu2`, `pearson_r` (None when one side is constant), `psnr_db` (None without error).
    """
    x, y = np.asarray(reference[inside], np.float64), np.asarray(test[inside], np.float64)
    if x.size == 0:
        return {"n_voxels": 0, "mae_hu": None, "mse_hu2": None, "pearson_r": None, "psnr_db": None}
    difference = y - x
    mse = float(np.mean(difference**2))
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return {
        "n_voxels": int(x.size),
        "mae_hu": float(np.mean(np.abs(difference))),
        "mse_hu2": mse,
        "pearson_r": float((x * y).sum() / norm) if norm > 0 else None,
        "psnr_db": float(10 * np.log10(data_range**2 / mse)) if mse > 0 else None,
    }


def ssim_map(
    reference: NDArray[np.floating],
    test: NDArray[np.floating],
    data_range: float,
    axes: Sequence[int] | None = None,
) -> Float:
    """Local SSIM at every voxel.

    Args:
        reference: Array of any number of dimensions.
        test: Array of the same shape.
        data_range: Largest possible difference of two values.
        axes: Axes the window spans; all by default, the last two for a stack of slices.
    """
    luminance, contrast, structure = _components(reference, test, data_range, axes)
    return luminance * contrast * structure


def ms_ssim(
    reference: NDArray[np.floating], test: NDArray[np.floating], inside: NDArray[np.bool_], data_range: float
) -> float | None:
    """Multi-scale SSIM over a mask, as SynthRAD2025 computes it.

    A volume smaller than 97 voxels along an axis is padded with its edge, as there: five scales need that many.
    Cropping around the mask moves its place on the coarser grids, and the value by some 0.0002.

    Args:
        reference: Array (X, Y, Z), not negative, the same constant outside the mask in both.
        test: Array (X, Y, Z).
        inside: Array (X, Y, Z), bool.
        data_range: Largest possible difference of two values.

    Returns:
        None when the mask has no voxel on one of the scales.
    """
    from scipy.ndimage import uniform_filter

    pad = [(max(97 - n, 0) // 2, max(97 - n, 0) - max(97 - n, 0) // 2) for n in reference.shape]
    x, y = (np.pad(np.asarray(image, np.float32), pad, mode="edge") for image in (reference, test))
    mask = np.pad(inside, pad, mode="edge")
    border = _SIDE // 2
    inner = (slice(border, -border),) * 3
    value = 1.0
    for weight in _SCALE_WEIGHTS:
        if not mask[inner].any():
            return None
        local = np.ones(x.shape, np.float32)
        for component in _components(x, y, data_range, None):
            local *= np.clip(component, 0.0, None) ** np.float32(weight)
        value *= float(np.clip(local[inner][mask[inner]].mean(dtype=np.float64), 0.0, 1.0))
        # the mean of each voxel and its predecessors, zero beyond the edge: theirs is a 2x2x2 box by "same" convolution
        x, y = (uniform_filter(image, 2, mode="constant")[::2, ::2, ::2] for image in (x, y))
        mask = mask[::2, ::2, ::2]
    return value


def bounding_box(inside: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    """The slices that hold every voxel of a mask that is not empty, and a margin within the array."""
    box = []
    for axis in range(inside.ndim):
        places = np.flatnonzero(inside.any(axis=tuple(i for i in range(inside.ndim) if i != axis)))
        box.append(slice(max(int(places[0]) - margin, 0), int(places[-1]) + margin + 1))
    return tuple(box)


def _components(
    reference: NDArray[np.floating], test: NDArray[np.floating], data_range: float, axes: Sequence[int] | None
) -> tuple[Float, Float, Float]:
    """Luminance, contrast and structure at every voxel; their product is the local SSIM."""
    from scipy.ndimage import uniform_filter

    spanned = range(reference.ndim) if axes is None else {axis % reference.ndim for axis in axes}
    size = [_SIDE if axis in spanned else 1 for axis in range(reference.ndim)]

    def local_mean(image: Float) -> Float:
        return np.asarray(uniform_filter(image, size), np.float32)

    x, y = np.asarray(reference, np.float32), np.asarray(test, np.float32)
    n = int(np.prod(size))
    sample = np.float32(n / (n - 1))
    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x = np.maximum(sample * (local_mean(x * x) - mean_x * mean_x), 0)
    var_y = np.maximum(sample * (local_mean(y * y) - mean_y * mean_y), 0)
    covariance = sample * (local_mean(x * y) - mean_x * mean_y)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    deviations = np.sqrt(var_x * var_y)
    luminance: Float = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    contrast: Float = (2 * deviations + c2) / (var_x + var_y + c2)
    structure: Float = (covariance + c2 / 2) / (deviations + c2 / 2)
    return luminance, contrast, structure
