"""MR brought to CT: by landmarks, by mutual information, or taken as it is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.geometry.affine_fit import AffineFit, describe_affine, fit_affine
from sct.geometry.landmarks import read_landmark_pairs

__all__ = ["METHODS", "Registration", "moved", "register"]

METHODS = ("none", "landmarks", "mutual_information")
# Heads of one person differ by rotation and shift; scanners' scales by a few percent at most.
_PLAUSIBLE_SCALES = (0.9, 1.1)
_DOUBTFUL_RMS_MM = 5.0  # leave-one-out; readers place landmarks within 1 to 2 mm


@dataclass(frozen=True)
class Registration:
    """Where the MR belongs in the CT's world.

    Attributes:
        matrix: Array (4, 4): MR world -> CT world, mm, RAS.
        report: What was done and how well it fits, in plain types (JSON).
        warnings: One line each; empty when nothing looks wrong.
    """

    matrix: NDArray[np.float64]
    report: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def register(mr: Volume, ct: Volume, method: str, landmarks: Path | None = None) -> Registration:
    """Find the affine from MR world to CT world.

    Args:
        mr: MR in arbitrary units.
        ct: CT in HU.
        method: One of `METHODS`. Mutual information starts from the landmarks where there are any.
        landmarks: landmarks.tsv or 3D Slicer markups, as `read_landmark_pairs` says.

    Raises:
        SctError: Unknown method, landmarks missing or wrong, or no overlap.
    """
    if method not in METHODS:
        raise SctError(f"prepare.registration={method}: unknown; one of {', '.join(METHODS)} was expected")
    if method == "none":
        return Registration(np.eye(4), {"method": "none"})
    if method == "landmarks" and landmarks is None:
        raise SctError("prepare.registration=landmarks: no landmarks.tsv (or mr and ct markups) beside the volumes")
    by_landmarks = _by_landmarks(Path(landmarks)) if landmarks is not None else None
    if method == "landmarks" and by_landmarks is not None:
        return by_landmarks
    return _by_mutual_information(mr, ct, by_landmarks)


def moved(mr: Volume, registration: Registration) -> Volume:
    """The MR at its place in the CT's world: the same voxels, another affine."""
    return Volume(mr.data, registration.matrix @ mr.affine)


def _by_landmarks(path: Path) -> Registration:
    pairs = read_landmark_pairs(path)
    names = list(pairs)
    source, target = (np.array([pair[side] for pair in pairs.values()]) for side in (0, 1))
    fit = fit_affine(source, target, str(path))
    report: dict[str, Any] = {
        "method": "landmarks",
        "n_landmarks": len(names),
        "rms_mm": round(fit.rms_mm, 3),
        "leave_one_out_rms_mm": _rounded(fit.leave_one_out_rms_mm),
        **describe_affine(fit.matrix, source.mean(axis=0)),
        "landmarks": [
            {"name": name, "residual_mm": _rounded(residual), "leave_one_out_mm": _rounded(left_out)}
            for name, residual, left_out in zip(names, fit.residuals_mm, fit.leave_one_out_mm, strict=True)
        ],
        "matrix": fit.matrix.tolist(),
    }
    return Registration(fit.matrix, report, _landmark_warnings(path, names, fit) + _scale_warnings(report, str(path)))


def _by_mutual_information(mr: Volume, ct: Volume, start: Registration | None) -> Registration:
    from sct.geometry.mutual_information import register_by_mutual_information

    fit = register_by_mutual_information(mr, ct, None if start is None else start.matrix)
    report: dict[str, Any] = {
        "method": "mutual_information",
        "start": fit.start,
        "mutual_information_start": round(fit.metric_start, 5),
        "mutual_information_end": round(fit.metric_end, 5),
        **describe_affine(fit.matrix, fit.centre_mm),
        "matrix": fit.matrix.tolist(),
    }
    warnings = _scale_warnings(report, "mutual information")
    if start is not None:
        report["start_landmarks"] = {key: value for key, value in start.report.items() if key != "matrix"}
        warnings = start.warnings + warnings
    return Registration(fit.matrix, report, warnings)


def _landmark_warnings(path: Path, names: list[str], fit: AffineFit) -> list[str]:
    warnings = [
        f"{path}: landmark {names[i]!r} lies {fit.leave_one_out_mm[i]:.1f} mm from where the others put it"
        for i in fit.outliers
    ]
    if fit.leave_one_out_rms_mm is not None and fit.leave_one_out_rms_mm > _DOUBTFUL_RMS_MM and not fit.outliers:
        warnings.append(
            f"{path}: the landmarks contradict each other by {fit.leave_one_out_rms_mm:.1f} mm (root mean square of "
            "each against the others), and none stands out; check them all"
        )
    if fit.leave_one_out_rms_mm is None:
        warnings.append(f"{path}: {len(names)} landmarks leave nothing to check the fit by; place more")
    return warnings


def _scale_warnings(report: dict[str, Any], what: str) -> list[str]:
    low, high = _PLAUSIBLE_SCALES
    if all(low <= scale <= high for scale in report["scales"]):
        return []
    return [f"{what}: the fit stretches the head by {report['scales']}; within {low} to {high} would be plausible"]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 3)
