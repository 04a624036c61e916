"""Figures of merit as pure functions of the additive sums.

Source: Bambach & Ho 2022, Methods: MAE, MSE and Pearson R over pixels in HU; bone precision, recall and Dice at each
threshold and their averages over the grid of thresholds.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import sqrt
from typing import Any

from sct.core.gray import Window
from sct.core.pixel_sums import FULL_SCALE, SCOPES, TISSUES, threshold_names

__all__ = ["figures", "thresholds_of"]


def figures(
    sums: Mapping[str, int], thresholds: Sequence[str | float | Decimal] | None = None, window: Window | None = None
) -> dict[str, Any]:
    """All figures of pooled sums; an undefined one (0/0) is None.

    Args:
        sums: The columns of `SumsLayout`, exact integers of any size.
        thresholds: Bone thresholds to report, gray values that were summed; all of them by default.
        window: The CT window that turns gray into HU; level 500, width 2000 HU by default.

    Returns:
        `mae_hu`, `mse_hu2`, `pearson_r`, `mae_hu_by_tissue` (air, soft, bone, by the CT), `thresholds`,
        `bone_precision`, `bone_recall`, `bone_dice` (averages over the grid; None when a member is), their `_curve`s,
        `n_pixels`, all over the whole frame; the same inside the body under `in_mask`; `n_slices`.

    Raises:
        ValueError: A threshold was not summed.
    """
    names = threshold_names(thresholds_of(sums) if thresholds is None else thresholds)
    missing = [name for name in names if f"frame_tp_{name}" not in sums]
    if missing:
        raise ValueError(f"no sums at the thresholds {missing} (percent gray); summed: {thresholds_of(sums)}")
    width_hu = (window or Window()).width_hu
    frame, mask = (_scope_figures(sums, scope, names, width_hu) for scope in SCOPES)
    return {**frame, "in_mask": mask, "n_slices": sums["n_slices"]}


def thresholds_of(sums: Mapping[str, int]) -> list[str]:
    """The bone thresholds, gray values as decimals, that the columns hold."""
    return [str(Decimal(name.removeprefix("frame_tp_")) / 100) for name in sums if name.startswith("frame_tp_")]


def _scope_figures(
    sums: Mapping[str, int], scope: str, names: Mapping[str, Decimal], width_hu: float
) -> dict[str, Any]:
    def of(name: str) -> int:
        return sums[f"{scope}_{name}"]

    hu = width_hu / FULL_SCALE
    curves: dict[str, list[float | None]] = {
        "bone_precision": [_ratio(of(f"tp_{name}"), of(f"pred_{name}")) for name in names],
        "bone_recall": [_ratio(of(f"tp_{name}"), of(f"ref_{name}")) for name in names],
        "bone_dice": [_ratio(2 * of(f"tp_{name}"), of(f"pred_{name}") + of(f"ref_{name}")) for name in names],
    }
    return {
        "mae_hu": _ratio(of("abs"), of("n"), hu),
        "mse_hu2": _ratio(of("sq"), of("n"), hu * hu),
        "pearson_r": _pearson(*(of(name) for name in ("n", "x", "y", "xx", "yy", "xy"))),
        **{name: _mean(curve) for name, curve in curves.items()},
        "thresholds": [float(threshold) for threshold in names.values()],
        **{f"{name}_curve": curve for name, curve in curves.items()},
        "mae_hu_by_tissue": {tissue: _ratio(of(f"abs_{tissue}"), of(f"n_{tissue}"), hu) for tissue in TISSUES},
        "n_pixels": of("n"),
    }


def _ratio(part: int, whole: int, unit: float = 1.0) -> float | None:
    return part / whole * unit if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined and len(defined) == len(values) else None


def _pearson(n: int, x: int, y: int, xx: int, yy: int, xy: int) -> float | None:
    """Pearson correlation; the differences are taken between exact integers, so nothing cancels."""
    variances = (n * xx - x * x) * (n * yy - y * y)
    if variances == 0:
        return None
    return max(-1.0, min(1.0, (n * xy - x * y) / sqrt(variances)))
