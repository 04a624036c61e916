"""Classical methods that fit and predict like a network."""

from sct.baselines.baseline import Baseline, Batch
from sct.baselines.histogram import JointHistogram
from sct.baselines.linear_map import LinearMap
from sct.baselines.log_inversion import LogInversion
from sct.baselines.threshold import Threshold

__all__ = ["Baseline", "Batch", "JointHistogram", "LinearMap", "LogInversion", "Threshold"]
