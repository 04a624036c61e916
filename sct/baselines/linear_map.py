"""Bone density as a straight line of the MR intensity."""

from collections.abc import Iterable

import torch
from torch import Tensor

from sct.baselines.baseline import Batch
from sct.baselines.tissue import TissueMap
from sct.core.errors import SctError
from sct.core.gray import BONE_FROM_HU

__all__ = ["PUBLISHED_LINES", "LinearMap"]

PUBLISHED_LINES = {"zte": (-2085.0, 2329.0), "petra": (-2929.6, 3274.9)}
"""Slope in HU per soft-tissue peak, intercept in HU.

ZTE: Miscouridou et al., IEEE Trans Ultrason Ferroelectr Freq Control 2022;69:2896-2905. PETRA: the constants that the
petra-to-ct toolbox (University College London) fitted on paired PETRA and low-dose CT of three participants.
"""


class LinearMap(TissueMap):
    """HU = slope * intensity + intercept for bone, -1000 HU for air, 42 HU for soft tissue.

    The line is fitted by least squares on the training folds' bone (CT from 300 HU on) with an intensity between air
    and the soft-tissue peak, or taken from a publication. The two edges between the tissues are fitted either way.

    Args:
        constants: None fits the line; `zte` or `petra` takes the published one.
        bias_correction: As in `Baseline`.
        level_hu: As in `Baseline`.
        width_hu: As in `Baseline`.

    Raises:
        SctError: Unknown constants.
    """

    slope_hu: Tensor
    intercept_hu: Tensor

    def __init__(
        self,
        constants: str | None = None,
        bias_correction: bool = False,
        level_hu: float = 500.0,
        width_hu: float = 2000.0,
    ):
        super().__init__(bias_correction, level_hu, width_hu)
        if constants is not None and constants not in PUBLISHED_LINES:
            raise SctError(f"model.constants={constants}: there are null (fitted), {', '.join(PUBLISHED_LINES)}")
        self.constants = constants
        self.register_buffer("slope_hu", torch.tensor(torch.nan))
        self.register_buffer("intercept_hu", torch.tensor(torch.nan))

    def _fit_bone(self, batches: Iterable[Batch]) -> None:
        slope, intercept = PUBLISHED_LINES[self.constants] if self.constants else self._least_squares(batches)
        self.slope_hu.fill_(slope)
        self.intercept_hu.fill_(intercept)

    def _least_squares(self, batches: Iterable[Batch]) -> tuple[float, float]:
        n = sum_x = sum_y = sum_xx = sum_xy = 0.0
        for intensity, ct_hu in self.samples(batches):
            bone = (ct_hu >= BONE_FROM_HU) & (intensity >= self.air_edge) & (intensity <= 1)
            # About the middle of the range, so that the sums of squares lose no digits.
            x, y = intensity[bone] - 0.5, ct_hu[bone]
            n += len(x)
            sum_x, sum_y = sum_x + float(x.sum()), sum_y + float(y.sum())
            sum_xx, sum_xy = sum_xx + float((x * x).sum()), sum_xy + float((x * y).sum())
        spread = n * sum_xx - sum_x**2
        if spread <= 1e-9 * max(n, 1) ** 2:
            raise SctError(
                "LinearMap: the training slices hold too little bone between air and the soft-tissue peak to fit a "
                "line; model.constants=zte or petra takes a published one"
            )
        slope = (n * sum_xy - sum_x * sum_y) / spread
        return slope, (sum_y - slope * sum_x) / n - 0.5 * slope

    def bone_hu(self, intensity: Tensor) -> Tensor:
        """HU of the line at relative intensities, any shape."""
        return self.slope_hu * intensity + self.intercept_hu
