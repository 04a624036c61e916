"""The printed table of Bambach & Ho, AJNR 2022;43:1172-79, doi 10.3174/ajnr.A7588, and the six metrics of all tables.

Institution 1, 16 patients, 10 repetitions of 4-fold cross-validation: mean (95 % CI). Figures and facts only.
"""

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

# Per model and loss: mean, low, high for each of METRICS, in print units.
PAPER: dict[tuple[str, str], tuple[tuple[float, float, float], ...]] = {
    ("light_unet", "mae"): (
        (95.6, 94.4, 96.9),
        (54.3, 53.1, 55.5),
        (0.872, 0.869, 0.875),
        (0.665, 0.661, 0.669),
        (0.519, 0.505, 0.533),
        (0.567, 0.558, 0.576),
    ),
    ("light_unet", "mse"): (
        (106.0, 103.5, 108.4),
        (51.5, 50.0, 53.0),
        (0.878, 0.875, 0.881),
        (0.621, 0.614, 0.629),
        (0.548, 0.526, 0.570),
        (0.558, 0.544, 0.573),
    ),
    ("light_unet", "mix-4.4"): (
        (97.6, 96.6, 98.7),
        (51.3, 50.4, 52.2),
        (0.878, 0.876, 0.880),
        (0.641, 0.636, 0.646),
        (0.538, 0.529, 0.546),
        (0.568, 0.562, 0.573),
    ),
    ("vgg_unet", "mae"): (
        (101.5, 99.8, 103.3),
        (60.1, 58.3, 61.9),
        (0.859, 0.856, 0.863),
        (0.667, 0.662, 0.672),
        (0.454, 0.431, 0.476),
        (0.516, 0.497, 0.534),
    ),
    ("vgg_unet", "mse"): (
        (111.5, 106.2, 116.7),
        (55.1, 52.2, 58.0),
        (0.869, 0.864, 0.875),
        (0.614, 0.606, 0.622),
        (0.521, 0.498, 0.543),
        (0.538, 0.517, 0.558),
    ),
    ("vgg_unet", "mix-4.4"): (
        (103.4, 100.9, 105.9),
        (55.7, 53.6, 57.9),
        (0.869, 0.865, 0.873),
        (0.643, 0.637, 0.648),
        (0.492, 0.471, 0.513),
        (0.532, 0.514, 0.55),
    ),
    ("vgg_unet_tl", "mae"): (
        (99.2, 97.8, 100.6),
        (58.0, 56.6, 59.4),
        (0.864, 0.861, 0.867),
        (0.668, 0.663, 0.674),
        (0.470, 0.450, 0.490),
        (0.530, 0.514, 0.546),
    ),
    ("vgg_unet_tl", "mse"): (
        (111.7, 108.7, 114.6),
        (55.0, 54.0, 56.1),
        (0.869, 0.867, 0.872),
        (0.619, 0.611, 0.627),
        (0.503, 0.491, 0.514),
        (0.527, 0.517, 0.536),
    ),
    ("vgg_unet_tl", "mix-4.4"): (
        (103.8, 101.9, 105.7),
        (55.9, 54.4, 57.5),
        (0.867, 0.864, 0.870),
        (0.630, 0.620, 0.640),
        (0.506, 0.489, 0.523),
        (0.540, 0.528, 0.552),
    ),
}


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
