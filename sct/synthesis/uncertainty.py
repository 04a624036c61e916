"""Does the uncertainty point at the errors?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.gray import BONE_FROM_HU

__all__ = ["UncertaintyQuality", "uncertainty_quality"]


@dataclass(frozen=True)
class UncertaintyQuality:
    """How well an uncertainty map ranks the errors of a synthetic CT.

    Attributes:
        spearman_r: Rank correlation of uncertainty and absolute error; None when one of them is constant.
        bone_errors_in_top_share: Of the bone errors above the limit, the share that lies in the most uncertain voxels;
            a map that knows nothing scores `top_share`. None without such errors.
        n_bone_errors: How many there are.
        bone_error_hu: The limit.
        top_share: Share of voxels that count as most uncertain.
        n_voxels: Voxels looked at.
    """

    spearman_r: float | None
    bone_errors_in_top_share: float | None
    n_bone_errors: int
    bone_error_hu: float
    top_share: float
    n_voxels: int

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)


def uncertainty_quality(
    uncertainty_hu: NDArray[np.floating],
    prediction_hu: NDArray[np.floating],
    reference_hu: NDArray[np.floating],
    inside: NDArray[np.bool_],
    bone_hu: float = BONE_FROM_HU,
    bone_error_hu: float = 300.0,
    top_share: float = 0.1,
) -> UncertaintyQuality:
    """Compare an uncertainty map with the true error inside a mask.

    A bone error is a voxel that is bone in the reference or the prediction and differs by more than `bone_error_hu`:
    missed and invented bone both count. Ties at the edge of the most uncertain voxels (a map of few levels) count by
    their expected share, so that no order of voxels is favoured.

    Args:
        uncertainty_hu: Array (X, Y, Z), HU.
        prediction_hu: Array (X, Y, Z), HU.
        reference_hu: Array (X, Y, Z), HU; clip it to the network's window first, or errors of the window count too.
        inside: Array (X, Y, Z), bool; empty gives None for both figures.
        bone_hu: What counts as bone.
        bone_error_hu: What counts as an error.
        top_share: Share of voxels that count as most uncertain.
    """
    from scipy.stats import rankdata

    uncertainty = np.asarray(uncertainty_hu[inside], np.float64)
    prediction, reference = prediction_hu[inside], reference_hu[inside]
    error = np.abs(np.asarray(prediction, np.float64) - reference)
    spearman_r = None
    if uncertainty.size > 1 and np.ptp(uncertainty) > 0 and np.ptp(error) > 0:
        spearman_r = float(np.corrcoef(rankdata(uncertainty), rankdata(error))[0, 1])
    wrong = ((prediction >= bone_hu) | (reference >= bone_hu)) & (error > bone_error_hu)
    share = None
    if wrong.any():
        places = top_share * uncertainty.size
        edge = np.partition(uncertainty, -int(np.ceil(places)))[-int(np.ceil(places))]
        above, tied = uncertainty > edge, uncertainty == edge
        tied_weight = min(1.0, (places - above.sum()) / tied.sum())
        share = float(((above & wrong).sum() + tied_weight * (tied & wrong).sum()) / wrong.sum())
    return UncertaintyQuality(spearman_r, share, int(wrong.sum()), bone_error_hu, top_share, int(uncertainty.size))
