"""What decides the slices of a store."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any

from sct.core.errors import SctError
from sct.core.gray import Window
from sct.geometry.registration import METHODS

__all__ = ["PREPARATION_VERSION", "PrepareSettings"]

PREPARATION_VERSION = 1
"""Changes whenever the same volumes and settings give other slices."""

_CHOICES = {
    "frame": ("resize", "patch"),
    "mask": ("otsu", "file"),
    "mr_scaling": ("range", "percentile"),
    "mr_scaling_unit": ("volume", "slice"),
    "registration": METHODS,
}


def _window(values: Mapping[str, Any]) -> Window:
    window = Window(**{key: float(value) for key, value in values.items()})
    if not isfinite(window.lowest_hu + window.highest_hu):
        raise ValueError("not finite")
    return window


def _pair(values: Iterable[Any]) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


# How a plain value becomes a setting, and what is right.
_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "window": (_window, "level_hu and a positive width_hu"),
    "mask_clip_hu": (_pair, "two numbers"),
    "mr_percentiles": (_pair, "two numbers"),
    "spacing_mm": (float, "a number"),
    "patch_overlap": (float, "a number"),
    "min_mask_mm2": (float, "a number"),
    "min_mr_share": (float, "a number"),
}


@dataclass(frozen=True)
class PrepareSettings:
    """Everything that decides the pixels of a store, beside the volumes.

    Attributes:
        size_px: Side of the stored slices.
        spacing_mm: Side of the isotropic voxels that slices are cut from.
        frame: `resize`: the smallest square around the mask, resized to size_px (paper). `patch`: not resized; squares
            of size_px native pixels, as many as cover the mask.
        patch_overlap: Share of its side that a patch has in common with the next at least, 0 to 0.75.
        window: CT window of the 8-bit gray (paper: width 2000 HU; level assumed).
        mask: `otsu`: from the CT slice (paper). `file`: the participant's `mask.*`.
        mask_clip_hu: Range that HU are clipped to before Otsu.
        min_mask_mm2: Slices with a smaller mask are left out.
        min_mr_share: Slices where a smaller share of the mask has MR signal are left out: a head rest, or a slice
            beyond the coil. 0 keeps them.
        mr_scaling: What becomes gray 0 and 255: `range`, the minimum and maximum; `percentile`, `mr_percentiles`.
        mr_percentiles: Lower and upper percentile.
        mr_scaling_unit: Taken over the whole, unmasked `volume`, or over each `slice` within the field of view (paper).
        registration: How the MR is brought to the CT first.

    Raises:
        SctError: A value is out of its range.
    """

    size_px: int = 224
    spacing_mm: float = 1.0
    frame: str = "resize"
    patch_overlap: float = 0.0
    window: Window = field(default_factory=Window)
    mask: str = "otsu"
    mask_clip_hu: tuple[float, float] = (-1000.0, 200.0)
    min_mask_mm2: float = 400.0
    min_mr_share: float = 0.05
    mr_scaling: str = "range"
    mr_percentiles: tuple[float, float] = (0.5, 99.5)
    mr_scaling_unit: str = "volume"
    registration: str = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.size_px, int) or not 16 <= self.size_px <= 4096:
            raise SctError(f"prepare.size_px={self.size_px}: must be a whole number from 16 to 4096")
        if not 0.1 <= self.spacing_mm <= 20:
            raise SctError(f"prepare.spacing_mm={self.spacing_mm}: must be 0.1 to 20 mm")
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                raise SctError(f"prepare.{key}={value}: no such choice; one of {', '.join(choices)}")
        if not 0 <= self.patch_overlap <= 0.75:
            raise SctError(f"prepare.patch_overlap={self.patch_overlap}: must be 0 to 0.75")
        low, high = self.mask_clip_hu
        if not low < high:
            raise SctError(f"prepare.mask_clip_hu=[{low},{high}]: the first must be smaller than the second")
        if not self.min_mask_mm2 >= 0:
            raise SctError(f"prepare.min_mask_mm2={self.min_mask_mm2}: must not be negative")
        if not 0 <= self.min_mr_share <= 1:
            raise SctError(f"prepare.min_mr_share={self.min_mr_share}: must be 0 to 1")
        low, high = self.mr_percentiles
        if not 0 <= low < high <= 100:
            raise SctError(f"prepare.mr_percentiles=[{low},{high}]: two ascending values from 0 to 100")

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "PrepareSettings":
        """Settings of a mapping of plain types (the configuration node `prepare`); unknown keys are passed over.

        Raises:
            SctError: A value is of another type, or out of its range.
        """
        known: dict[str, Any] = {}
        for item in fields(cls):
            if item.name in values:
                read, right = _READERS.get(item.name, (lambda value: value, ""))
                try:
                    known[item.name] = read(values[item.name])
                except (AttributeError, TypeError, ValueError) as error:
                    raise SctError(f"prepare.{item.name}={values[item.name]}: must be {right}") from error
        return cls(**known)

    def to_plain(self) -> dict[str, Any]:
        """Plain types for JSON, with the version of the preparation; `from_plain` reads it."""
        plain = asdict(self) | {"version": PREPARATION_VERSION}
        if self.frame != "patch":
            del plain["patch_overlap"]  # which decides nothing then, and is not to make stores differ
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
