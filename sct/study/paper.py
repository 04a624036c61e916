"""The printed table of Bambach & Ho, AJNR 2022;43:1172-79, doi 10.3174/ajnr.A7588, and the six metrics of all tables.

Institution 1, 16 patients, 10 repetitions of 4-fold cross-validation: mean (95 % CI). Figures and facts only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sct.core.statistics import Interval

__all__ = [
    "CITATION",
    "COHORT",
    "METRICS",
    "PAPER",
    "Metric",
    "order_in_print",
    "paper_interval",
    "title_of_loss",
    "title_of_model",
]

CITATION = "Bambach S, Ho M-L. AJNR Am J Neuroradiol 2022;43:1172-79, doi 10.3174/ajnr.A7588"
COHORT = "institution 1, 16 patients, 10 x 4-fold cross-validation"
_REPETITIONS = 10


@dataclass(frozen=True)
class Metric:
    """One column of the table.

    Attributes:
        key: Name in `sct.core.sums.figures`.
        title: Column heading.
        unit: Unit as printed, empty for a pure number.
        scale: What a value is multiplied by for print.
        digits: Digits after the point in print.
        lower_is_better: Which end is best.
    """

    key: str
    title: str
    unit: str
    scale: float
    digits: int
    lower_is_better: bool

    @property
    def heading(self) -> str:
        """Title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


METRICS = (
    Metric("mae_hu", "MAE", "HU", 1.0, 1, True),
    Metric("mse_hu2", "MSE", "10³ HU²", 1e-3, 1, True),
    Metric("pearson_r", "R", "", 1.0, 3, False),
    Metric("bone_precision", "Precision", "", 1.0, 3, False),
    Metric("bone_recall", "Recall", "", 1.0, 3, False),
    Metric("bone_dice", "Dice", "", 1.0, 3, False),
)
"""The paper's six columns, in its order."""

# Mean, low and high of each of METRICS in print units.
_TABLE = """
light_unet  mae      95.6  94.4  96.9  54.3 53.1 55.5  .872 .869 .875  .665 .661 .669  .519 .505 .533  .567 .558 .576
light_unet  mse     106.0 103.5 108.4  51.5 50.0 53.0  .878 .875 .881  .621 .614 .629  .548 .526 .570  .558 .544 .573
light_unet  mix-4.4  97.6  96.6  98.7  51.3 50.4 52.2  .878 .876 .880  .641 .636 .646  .538 .529 .546  .568 .562 .573
vgg_unet    mae     101.5  99.8 103.3  60.1 58.3 61.9  .859 .856 .863  .667 .662 .672  .454 .431 .476  .516 .497 .534
vgg_unet    mse     111.5 106.2 116.7  55.1 52.2 58.0  .869 .864 .875  .614 .606 .622  .521 .498 .543  .538 .517 .558
vgg_unet    mix-4.4 103.4 100.9 105.9  55.7 53.6 57.9  .869 .865 .873  .643 .637 .648  .492 .471 .513  .532 .514 .550
vgg_unet_tl mae      99.2  97.8 100.6  58.0 56.6 59.4  .864 .861 .867  .668 .663 .674  .470 .450 .490  .530 .514 .546
vgg_unet_tl mse     111.7 108.7 114.6  55.0 54.0 56.1  .869 .867 .872  .619 .611 .627  .503 .491 .514  .527 .517 .536
vgg_unet_tl mix-4.4 103.8 101.9 105.7  55.9 54.4 57.5  .867 .864 .870  .630 .620 .640  .506 .489 .523  .540 .528 .552
"""


def _row(numbers: Sequence[str]) -> tuple[tuple[float, float, float], ...]:
    values = map(float, numbers)
    return tuple(zip(values, values, values, strict=True))


PAPER = {(model, loss): _row(numbers) for model, loss, *numbers in map(str.split, _TABLE.strip().splitlines())}
"""Mean, low and high of each of METRICS by model and loss, in print units."""


def paper_interval(model: str, loss: str, metric: Metric) -> Interval | None:
    """The printed mean and CI of a row in the units of `figures` (HU, HU^2); None for a row that is not in print."""
    row = PAPER.get((model, loss))
    if row is None:
        return None
    mean, low, high = (value / metric.scale for value in row[METRICS.index(metric)])
    return Interval(mean, low, high, _REPETITIONS)


_MODEL_TITLES = {
    "light_unet": "Light U-Net",
    "vgg_unet": "VGG U-Net",
    "vgg_unet_tl": "VGG U-Net TL",
    "log_inversion": "Log inversion",
    "threshold": "Threshold",
    "linear_map": "Linear map",
    "linear_map-zte": "Linear map, ZTE line",
    "linear_map-petra": "Linear map, PETRA line",
    "histogram": "Histogram",
}


def title_of_model(name: str) -> str:
    """A model's name for print, the paper's where it has one; unknown names unchanged."""
    return _MODEL_TITLES.get(name, name)


def title_of_loss(name: str) -> str:
    """A loss's name for print: `mix-4.4` is "mix (α = 4.4)", `none` an em dash."""
    if name.startswith("mix-"):
        return f"mix (α = {name.removeprefix('mix-')})"
    return {"mae": "MAE", "mse": "MSE", "none": "—"}.get(name, name)


def order_in_print(model: str, loss: str) -> tuple[bool, int, str, float, str]:
    """Sorting key of rows: the paper's models first, classical baselines last; MAE, MSE, then mix by its alpha."""
    models = list(_MODEL_TITLES)
    place = models.index(model) if model in models else len(models)
    rank = {"mae": -2.0, "mse": -1.0}.get(loss, float("inf"))
    if loss.startswith("mix-") and loss.removeprefix("mix-").replace(".", "", 1).isdigit():
        rank = float(loss.removeprefix("mix-"))
    return loss == "none", place, model, rank, loss
