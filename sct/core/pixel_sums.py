"""Additive sums over the pixels of a slice: the one truth of every figure.

The prediction is rounded once to 16 bits, y = round(65535 p) (half to even, in float32), the CT is x = 257 * level;
from there on everything is an integer. So the same predictions give the same sums in any order, batch size, device or
number of processes, and pooling is plain addition. A pixel is bone at threshold t when its 16-bit value is at least
ceil(65535 t), t being an exact decimal (0.4 in binary floating point would move the edge).

Source: Bambach & Ho 2022, Methods (pixel-wise metrics; bone at 40-70 % gray). Steps of 5 % and pooling over all test
pixels are our assumptions, and so are the tissue classes (air < -200 HU, bone >= 300 HU by the CT).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from itertools import pairwise
from math import prod

import torch
from torch import Tensor

from sct.core.gray import AIR_BELOW_HU, BONE_FROM_HU, Window

__all__ = [
    "DEFAULT_THRESHOLDS",
    "FULL_SCALE",
    "MAX_PIXELS",
    "SCOPES",
    "TISSUES",
    "SumsLayout",
    "bone_counts",
    "quantise",
    "threshold_names",
]

DEFAULT_THRESHOLDS = ("0.40", "0.45", "0.50", "0.55", "0.60", "0.65", "0.70")
SCOPES = ("frame", "mask")
TISSUES = ("air", "soft", "bone")
FULL_SCALE = 65535
"""Largest 16-bit value: gray 1."""
MAX_PIXELS = 2**31
"""So many pixels fit one int64 sum of squares: 2**31 * 65535**2 < 2**63."""

_MOMENTS = ("n", "abs", "sq", "x", "y", "xx", "yy", "xy")
_CPU_CHUNK_PIXELS = 2**17
_EXACT_PIXELS = 2**20  # 2**20 * 65535**2 < 2**53


def quantise(image: Tensor) -> Tensor:
    """16-bit values, int32, of an image of any shape.

    Args:
        image: Either 8-bit levels (uint8; exact, level * 257) or gray values 0..1 in floating point, which are clipped
            and rounded half to even in float32. A value that is not finite counts as 0; who sums must look for them.
    """
    if image.dtype == torch.uint8:
        return image.int().mul_(257)
    if not image.is_floating_point():
        raise ValueError(f"an image is uint8 or floating point, not {image.dtype}")
    scaled = image.detach().float().mul(FULL_SCALE).round_().clamp_(0, FULL_SCALE)
    return scaled.nan_to_num_(0.0).int()


def threshold_names(thresholds: Iterable[str | float | Decimal]) -> dict[str, Decimal]:
    """Column names of thresholds: percent of full gray, `0.40` -> `40`, `0.425` -> `42.5`, in ascending order.

    Args:
        thresholds: Gray values in (0, 1]. Floats are read by their shortest decimal, 0.4 as 0.4 exactly.

    Raises:
        ValueError: There is none, one is outside (0, 1] or given twice.
    """
    decimals = sorted(Decimal(str(threshold)) for threshold in thresholds)
    names = {format((100 * decimal).normalize(), "f"): decimal for decimal in decimals}
    if not decimals or len(names) < len(decimals) or not all(0 < decimal <= 1 for decimal in decimals):
        raise ValueError(f"thresholds must be distinct gray values in (0, 1], not {[str(d) for d in decimals]}")
    return names


def bone_counts(prediction: Tensor, target: Tensor, thresholds: Sequence[str | float | Decimal]) -> Tensor:
    """Pixels that are bone in both images, in the target, in the prediction.

    Args:
        prediction: Gray values 0..1 or 8-bit levels, (B, H, W) or (B, 1, H, W).
        target: The same shape.
        thresholds: K gray values, ascending.

    Returns:
        Int64 (B, 3, K), made on the images' device without synchronisation.

    Raises:
        ValueError: The shapes differ.
    """
    if prediction.shape != target.shape or prediction.ndim < 3:
        raise ValueError(f"shapes must agree: {tuple(prediction.shape)}, {tuple(target.shape)}")
    edges = tuple(_edge(threshold) for threshold in threshold_names(thresholds).values())

    def count(prediction: Tensor, target: Tensor) -> Tensor:
        n, n_classes = len(prediction), len(edges) + 1
        cells = _classes(quantise(target).view(n, -1), edges, n_classes)
        cells += _classes(quantise(prediction).view(n, -1), edges, 1)
        table = _count(_by_slice(cells, n_classes**2), (n, 1, n_classes, n_classes))[:, 0]
        # Element (i, j) of the double cumulative sum from the end: target class >= i and prediction class >= j.
        table = table.flip(1, 2).cumsum(1).cumsum(2).flip(1, 2)
        return torch.stack([table.diagonal(dim1=1, dim2=2)[:, 1:], table[:, 1:, 0], table[:, 0, 1:]], dim=1)

    return _in_chunks(count, prediction, target)


def _edge(gray: Decimal) -> int:
    """Smallest 16-bit value that is at least `gray`, within 0..65536."""
    edge = int((FULL_SCALE * gray).to_integral_value(ROUND_CEILING))
    return min(max(edge, 0), FULL_SCALE + 1)


@dataclass(frozen=True)
class SumsLayout:
    """What is summed: the bone thresholds and the gray scale that places the tissue classes.

    Attributes:
        thresholds: Bone thresholds as gray values, exact decimals in strings.
        window: The CT window of the gray scale.
    """

    thresholds: tuple[str, ...] = DEFAULT_THRESHOLDS
    window: Window = field(default_factory=Window)

    def __post_init__(self) -> None:
        threshold_names(self.thresholds)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the sums, in the order of `slice_sums` and of sums.csv."""
        names = [*_MOMENTS]
        names += [f"{moment}_{tissue}" for moment in ("abs", "n") for tissue in TISSUES]
        names += [f"{count}_{name}" for count in ("tp", "ref", "pred") for name in threshold_names(self.thresholds)]
        return (*(f"{scope}_{name}" for scope in SCOPES for name in names), "n_slices")

    def slice_sums(self, prediction: Tensor, ct: Tensor, mask: Tensor) -> Tensor:
        """Sums of each slice of a batch, made on the images' device without synchronisation.

        Args:
            prediction: Gray values 0..1, (B, H, W) or (B, 1, H, W), floating point.
            ct: 8-bit levels, uint8, or gray values 0..1; same shape.
            mask: The pixels of the body, bool or 0 / non-zero; same shape.

        Returns:
            Int64 (B, columns).

        Raises:
            ValueError: The shapes differ, or a slice has 2**31 pixels or more.
        """
        if not prediction.shape == ct.shape == mask.shape or prediction.ndim < 3:
            raise ValueError(f"shapes must agree: {tuple(prediction.shape)}, {tuple(ct.shape)}, {tuple(mask.shape)}")
        if prediction.shape[0] == 0:
            return torch.zeros((0, len(self.columns)), dtype=torch.int64, device=prediction.device)
        if prediction.device.type == "mps":  # has no float64
            return self.slice_sums(prediction.cpu(), ct.cpu(), mask.cpu()).to(prediction.device)
        if prediction[0].numel() >= MAX_PIXELS:
            raise ValueError("a slice of 2**31 pixels or more would overflow its sums")
        return _in_chunks(self._chunk_sums, prediction, ct, mask)

    def _chunk_sums(self, prediction: Tensor, ct: Tensor, mask: Tensor) -> Tensor:
        """As `slice_sums`."""
        n = prediction.shape[0]
        y, x = quantise(prediction).view(n, -1), quantise(ct).view(n, -1)
        inside = mask.reshape(n, -1) != 0
        cells, shape = self._cells(x, y, inside)
        tables = {"n": _count(cells, shape), "abs": _sum((x - y).abs_().long(), cells.long(), shape)}
        moments = _moments(x, y, inside)
        scopes = [
            self._scope_sums({name: table.sum(1) for name, table in tables.items()}, moments[:, 0]),
            self._scope_sums({name: table[:, 1] for name, table in tables.items()}, moments[:, 1]),
        ]
        return torch.cat([*scopes, torch.ones_like(scopes[0][:, :1])], dim=1)

    def _cells(self, x: Tensor, y: Tensor, inside: Tensor) -> tuple[Tensor, tuple[int, int, int, int]]:
        """Cell number of each pixel, int32, in the table (slice, in mask, class of the CT, class of the prediction)."""
        n_y = len(self.thresholds) + 1
        n_x = n_y + len(TISSUES) - 1
        cells = _classes(x, self._x_edges, n_y).add_(_classes(y, self._y_edges, 1))
        cells += inside.int().mul_(n_x * n_y)
        return _by_slice(cells, 2 * n_x * n_y), (x.shape[0], 2, n_x, n_y)

    @property
    def _y_edges(self) -> tuple[int, ...]:
        return tuple(_edge(threshold) for threshold in threshold_names(self.thresholds).values())

    @property
    def _tissue_edges(self) -> tuple[int, int]:
        lowest, width = Decimal(str(self.window.lowest_hu)), Decimal(str(self.window.width_hu))
        return _edge((AIR_BELOW_HU - lowest) / width), _edge((BONE_FROM_HU - lowest) / width)

    @property
    def _x_edges(self) -> tuple[int, ...]:
        return tuple(sorted(self._y_edges + self._tissue_edges))

    def _scope_sums(self, tables: dict[str, Tensor], moments: Tensor) -> Tensor:
        """Columns of one scope, (B, ...), of tables (B, class of CT, class of prediction) and moments (B, 5)."""
        x, y, xx, yy, xy = moments.unbind(1)
        totals = [tables["n"].sum((1, 2)), tables["abs"].sum((1, 2)), xx - 2 * xy + yy, x, y, xx, yy, xy]
        x_edges, (air, bone) = self._x_edges, self._tissue_edges
        bounds = [0, x_edges.index(air) + 1, x_edges.index(bone) + 1, len(x_edges) + 1]
        for name in ("abs", "n"):
            rows = tables[name].sum(2)
            totals += [rows[:, low:high].sum(1) for low, high in pairwise(bounds)]
        x_from = [x_edges.index(edge) + 1 for edge in self._y_edges]
        n = tables["n"]
        totals += [n[:, first:, k + 1 :].sum((1, 2)) for k, first in enumerate(x_from)]
        totals += [n[:, first:].sum((1, 2)) for first in x_from]
        totals += [n[:, :, k + 1 :].sum((1, 2)) for k in range(len(x_from))]
        return torch.stack(totals, dim=1)


@lru_cache(maxsize=32)
def _steps(edges: tuple[int, ...], device: torch.device, factor: int) -> Tensor:
    """For each 16-bit value how many edges it reaches, times `factor`: int32 (65536,)."""
    steps = torch.zeros(FULL_SCALE + 2, dtype=torch.int32)
    for edge in edges:
        steps[edge] += factor
    return steps[: FULL_SCALE + 1].cumsum(0, dtype=torch.int32).to(device)


def _classes(values: Tensor, edges: tuple[int, ...], factor: int) -> Tensor:
    """How many edges each 16-bit value reaches, times `factor`: int32, the shape of `values`."""
    return _steps(edges, values.device, factor).index_select(0, values.reshape(-1)).view_as(values)


def _by_slice(cells: Tensor, n_cells: int) -> Tensor:
    """Cell numbers (B, P) made different from slice to slice."""
    return cells.add_(torch.arange(len(cells), dtype=torch.int32, device=cells.device).mul_(n_cells).unsqueeze(1))


def _count(cells: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """Int64 number of pixels of each cell."""
    if cells.device.type == "cpu":  # elsewhere, bincount looks at its input and so waits for the device
        return torch.bincount(cells.view(-1), minlength=prod(shape)).view(shape)
    return _sum(torch.ones((), dtype=torch.int64, device=cells.device).expand_as(cells), cells.long(), shape)


def _sum(values: Tensor, cells: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """Int64 sums of `values` over the pixels of each cell (both int64)."""
    table = torch.zeros(shape, dtype=torch.int64, device=cells.device)
    table.view(-1).scatter_add_(0, cells.reshape(-1), values.reshape(-1))
    return table


def _moments(x: Tensor, y: Tensor, inside: Tensor) -> Tensor:
    """Sums of x, y, xx, yy and xy of 16-bit values (B, P), over all pixels and over those inside: int64 (B, 2, 5).

    Products of matrices in float64, which are exact: all partial sums are integers below 2**53.
    """
    total = torch.zeros((len(x), 2, 5), dtype=torch.int64, device=x.device)
    for start in range(0, x.shape[1], _EXACT_PIXELS):
        x_part, y_part, inside_part = (image[:, start : start + _EXACT_PIXELS] for image in (x, y, inside))
        rows = (x_part, y_part, torch.ones_like(x_part[:, :1]), x_part * inside_part, y_part * inside_part)
        values = torch.empty((len(x), 5, x_part.shape[1]), dtype=torch.float64, device=x.device)
        for row, pixels in enumerate(rows):
            values[:, row] = pixels
        with torch.autocast(x.device.type, enabled=False):
            products = (values @ values[:, :3].mT).long()
        for scope, (x_row, y_row) in enumerate(((0, 1), (3, 4))):
            total[:, scope, 0] += products[:, x_row, 2]
            total[:, scope, 1] += products[:, y_row, 2]
            total[:, scope, 2] += products[:, x_row, 0]
            total[:, scope, 3] += products[:, y_row, 1]
            total[:, scope, 4] += products[:, x_row, 1]
    return total


def _in_chunks(function: Callable[..., Tensor], *images: Tensor) -> Tensor:
    """Apply to a batch; on the CPU a few slices at a time, so that what lies in between stays in the cache."""
    n_slices = max(1, _CPU_CHUNK_PIXELS // images[0][0].numel()) if images[0].device.type == "cpu" else len(images[0])
    if n_slices >= len(images[0]):
        return function(*images)
    return torch.cat(
        [function(*part) for part in zip(*(torch.split(image, n_slices) for image in images), strict=True)]
    )
