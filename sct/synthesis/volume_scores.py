"""Scores of whole volumes under three named protocols.

* `slices`: the paper's. Windowed gray; CT and sCT masked, framed and resized (or cut into crops) as in training; sums
  over all pixels.
* `synthrad`: SynthRAD2025's. HU clipped to [-1024, 3071], inside the body, PSNR and SSIM with that range (evaluation
  code: github.com/SynthRAD2025/evaluation, `image_metrics.py`). MS-SSIM is its headline; the single-scale SSIM is that
  of SynthRAD2023. The body is the CT's filled outline, not dilated as the challenge's is.
* `bone`: the same HU, only where the CT is bone (at least the lowest threshold, 300 HU).

`synthrad` and `bone` are computed on the reference CT's own voxels: the CT is never interpolated.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sct.core.figures import figures
from sct.core.gray import BONE_FROM_HU, Window, gray_to_hu, hu_to_gray, hu_to_gray8
from sct.core.pixel_sums import DEFAULT_THRESHOLDS, SumsLayout
from sct.preparation.settings import PrepareSettings
from sct.preparation.slicing import cut_slice
from sct.slices.frame import crop, resize
from sct.slices.planes import extract
from sct.slices.tiles import Tile
from sct.synthesis.mr_mask import head_region
from sct.synthesis.similarity import bounding_box, error_figures, ms_ssim, ssim_map

__all__ = ["CLIP_HU", "body_outline", "bone_overlap", "native_scores", "slice_scores"]

CLIP_HU = (-1024.0, 3071.0)  # SynthRAD2025
_MARGIN = 8  # voxels around the body that SSIM windows reach into
_BATCH = 32
_KEPT = ("mae_hu", "mse_hu2", "pearson_r", "bone_precision", "bone_recall", "bone_dice")


def body_outline(ct_hu: NDArray[np.floating], spacing_mm: Sequence[float]) -> NDArray[np.bool_]:
    """The body in a CT volume, holes filled: found as the head is in the MR, on HU clipped to [-1000, 200].

    Args:
        ct_hu: Array (X, Y, Z) in RAS+ order, HU.
        spacing_mm: Voxel sizes, (3,).
    """
    return head_region(np.clip(ct_hu, -1000.0, 200.0), spacing_mm)


def bone_overlap(
    reference_hu: NDArray[np.floating],
    test_hu: NDArray[np.floating],
    inside: NDArray[np.bool_],
    window: Window,
    thresholds: Sequence[str] = DEFAULT_THRESHOLDS,
) -> dict[str, float | None]:
    """Bone precision, recall and Dice of voxels of a mask, averaged over the grid of thresholds (paper).

    A member that is 0/0 makes the average None.
    """
    reference, test = reference_hu[inside], test_hu[inside]
    rows = []
    for threshold in thresholds:
        edge_hu = gray_to_hu(float(threshold), window)
        is_reference, is_test = reference >= edge_hu, test >= edge_hu
        both, n_reference, n_test = (int(np.count_nonzero(x)) for x in (is_reference & is_test, is_reference, is_test))
        rows.append((_ratio(both, n_test), _ratio(both, n_reference), _ratio(2 * both, n_test + n_reference)))
    return {
        name: None if any(value is None for value in column) else float(np.mean(column))
        for name, column in zip(("bone_precision", "bone_recall", "bone_dice"), zip(*rows, strict=True), strict=True)
    }


def native_scores(
    reference_hu: NDArray[np.floating],
    tests_hu: Mapping[str, NDArray[np.floating]],
    body: NDArray[np.bool_],
    window: Window,
    bone_hu: float = BONE_FROM_HU,
) -> dict[str, dict[str, dict[str, Any]]]:
    """The protocols `synthrad` and `bone`, for each of several synthetic CTs of one CT.

    Args:
        reference_hu: Array (X, Y, Z), HU.
        tests_hu: Name (a plane, or "fused") -> array (X, Y, Z), HU.
        body: Boolean (X, Y, Z): voxels that count.
        window: Places the bone thresholds.
        bone_hu: What is bone in the protocol `bone`.

    Returns:
        Protocol -> name -> figures; all None for an empty body.
    """
    box = bounding_box(body, _MARGIN) if body.any() else (slice(0, 1),) * 3
    low, high = CLIP_HU
    inside = body[box]
    data_range = high - low
    # shifted to start at 0, and equal outside the body, as SynthRAD does before SSIM
    reference = np.where(inside, np.clip(reference_hu[box], low, high) - low, 0).astype(np.float32)
    is_bone = inside & (reference_hu[box] >= bone_hu)
    scores: dict[str, dict[str, dict[str, Any]]] = {"synthrad": {}, "bone": {}}
    for name, test_hu in tests_hu.items():
        test = np.where(inside, np.clip(test_hu[box], low, high) - low, 0).astype(np.float32)
        local = ssim_map(reference, test, data_range)
        overlap = bone_overlap(reference_hu[box], test_hu[box], inside, window)
        scores["synthrad"][name] = {
            **error_figures(reference, test, inside, data_range),
            "ssim": _mean(local, inside),
            "ms_ssim": ms_ssim(reference, test, inside, data_range),
            **overlap,
        }
        scores["bone"][name] = {
            **error_figures(reference, test, is_bone, data_range),
            "ssim": _mean(local, is_bone),
            **overlap,
        }
    return scores


def slice_scores(
    reference_hu: NDArray[np.floating],
    tests_hu: Mapping[str, NDArray[np.floating]],
    masks: Mapping[str, NDArray[np.bool_]],
    settings: PrepareSettings,
) -> dict[str, dict[str, Any]]:
    """The paper's protocol on volumes.

    Args:
        reference_hu: CT (X, Y, Z) on the network's grid, HU.
        tests_hu: Name -> (X, Y, Z), HU. A plane's own prediction is scored on the slices of its plane, any other name
            ("fused") on the slices of all planes.
        masks: Per plane, boolean (n, rows, cols), from the CT as in training; empty slices are left out.
        settings: Size, window.

    Returns:
        Name -> figures over the frame, the same under `in_mask`, and PSNR and 2-D SSIM in the mask. `planes` pools the
        planes' own predictions, as the paper's figures do.
    """
    layout = SumsLayout(window=settings.window)
    sums: dict[str, torch.Tensor] = {}
    local: dict[str, tuple[float, int]] = {}
    for plane, plane_masks in masks.items():
        names = [name for name in tests_hu if name == plane or name not in masks]
        stacks = {name: extract(tests_hu[name], plane) for name in names}
        cuts = [
            (int(index), tile)
            for index in np.flatnonzero(plane_masks.any((1, 2)))
            for tile in cut_slice(plane_masks[index], int(index), settings)
        ]
        for start in range(0, len(cuts), _BATCH):
            part = cuts[start : start + _BATCH]
            ct, mask = _framed_ct(extract(reference_hu, plane), plane_masks, part, settings)
            for name in names:
                gray = _framed_gray(stacks[name], plane_masks, part, settings)
                own = layout.slice_sums(torch.from_numpy(gray), torch.from_numpy(ct), torch.from_numpy(mask)).sum(0)
                similar = ssim_map(ct / np.float32(255.0), gray, 1.0, axes=(1, 2))[mask]
                pooled_names = [name, "planes"] if name == plane else [name]
                for key in pooled_names:
                    sums[key] = own + sums[key] if key in sums else own
                    total, count = local.get(key, (0.0, 0))
                    local[key] = total + float(similar.sum(dtype=np.float64)), count + similar.size
    return {name: _slice_figures(sums[name], local[name], layout) for name in [*tests_hu, "planes"] if name in sums}


_Cuts = Sequence[tuple[int, Tile]]
"""Number of a slice, and a square of it."""


def _framed_ct(
    stack: NDArray[np.floating], masks: NDArray[np.bool_], part: _Cuts, settings: PrepareSettings
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    lowest = settings.window.lowest_hu
    images, counted = [], []
    for index, tile in part:
        masked = np.where(masks[index], stack[index], np.float32(lowest))
        images.append(resize(crop(masked, tile.frame, lowest), settings.size_px))
        counted.append(resize(tile.counts.astype(np.float32), settings.size_px) >= 0.5)
    return hu_to_gray8(np.stack(images), settings.window), np.stack(counted)


def _framed_gray(
    stack: NDArray[np.floating], masks: NDArray[np.bool_], part: _Cuts, settings: PrepareSettings
) -> NDArray[np.float32]:
    images = []
    for index, tile in part:
        gray = np.where(masks[index], hu_to_gray(stack[index], settings.window), 0.0)
        images.append(resize(crop(np.clip(gray, 0.0, 1.0), tile.frame, 0.0), settings.size_px))
    return np.asarray(np.clip(np.stack(images), 0.0, 1.0), np.float32)


def _slice_figures(sums: torch.Tensor, local: tuple[float, int], layout: SumsLayout) -> dict[str, Any]:
    found = figures(dict(zip(layout.columns, map(int, sums.tolist()), strict=True)), window=layout.window)
    in_mask = found["in_mask"]
    mse = in_mask["mse_hu2"]
    return {
        **{key: found[key] for key in _KEPT},
        "n_slices": found["n_slices"],
        "in_mask": {
            **{key: in_mask[key] for key in _KEPT},
            "psnr_db": float(10 * np.log10(layout.window.width_hu**2 / mse)) if mse else None,
            "ssim": local[0] / local[1] if local[1] else None,
        },
    }


def _mean(values: NDArray[np.floating], inside: NDArray[np.bool_]) -> float | None:
    return float(values[inside].mean(dtype=np.float64)) if inside.any() else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
