"""What a phantom cohort is made from."""

from dataclasses import asdict, dataclass
from typing import Any

from sct.core.errors import SctError

__all__ = ["PHANTOM_VERSION", "PRESETS", "PhantomSettings"]

PHANTOM_VERSION = "1"
"""Changes whenever the same seed gives other voxels."""

PRESETS = {"phantom39": 39, "phantom39_inst1": 16}
"""Cohorts with a fixed table of participants, and their sizes."""


@dataclass(frozen=True)
class PhantomSettings:
    """Everything that decides the voxels of a cohort.

    Attributes:
        participants: How many; of a preset, the first so many of its table.
        spacing_mm: Edge of the CT's cubic voxels; the MR's voxels are 0.75 to 1.13 times as large.
        seed: Every draw derives from (seed, participant index, purpose).
        preset: None, or the name of a fixed table of participants.
        displaced: Displace the MR by a known affine and write landmarks.
        version: The phantom's version asked for; only the present one can be made.

    Raises:
        SctError: A value is out of its range.
    """

    participants: int = 8
    spacing_mm: float = 2.0
    seed: int = 0
    preset: str | None = None
    displaced: bool = False
    version: str = PHANTOM_VERSION

    def __post_init__(self) -> None:
        if self.preset is not None and self.preset not in PRESETS:
            raise SctError(f"preset={self.preset}: no such preset; one of {', '.join(PRESETS)}")
        for key in ("participants", "seed"):
            if not isinstance(getattr(self, key), int):
                raise SctError(f"{key}={getattr(self, key)}: must be a whole number")
        if not isinstance(self.spacing_mm, int | float) or not 0.5 <= self.spacing_mm <= 8.0:
            raise SctError(f"spacing_mm={self.spacing_mm}: must be 0.5 to 8 mm")
        if not isinstance(self.displaced, bool):
            raise SctError(f"displaced={self.displaced}: must be true or false")
        most = PRESETS[self.preset] if self.preset else 999
        if not 1 <= self.participants <= most:
            raise SctError(f"participants={self.participants}: must be 1 to {most}")
        if self.seed < 0:
            raise SctError(f"seed={self.seed}: must not be negative")
        if str(self.version) != PHANTOM_VERSION:
            raise SctError(f"version={self.version}: this release makes phantom version {PHANTOM_VERSION} only")

    def decisive(self) -> dict[str, Any]:
        """The settings that decide one participant's voxels (not how many participants there are)."""
        values = asdict(self)
        del values["participants"]
        if self.preset is not None:
            values["preset"] = "phantom39"  # the smaller preset is the head of the same table
        return values
