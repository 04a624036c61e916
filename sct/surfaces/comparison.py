"""Two heads: their bone surfaces, and how they deviate."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.bone import BoneSettings, bone_surface
from sct.surfaces.deviation import (
    SIGN_CONVENTION,
    Deviation,
    agreement,
    deviation_of_reference,
    deviation_of_test,
    summaries_by_region,
    summary,
)
from sct.surfaces.mesh import Mesh
from sct.surfaces.regions import regions_of_vertices

__all__ = ["Comparison", "SurfaceSettings", "compare", "report"]


@dataclass(frozen=True)
class SurfaceSettings:
    """How surfaces are made, compared and printed.

    Attributes:
        bone: What counts as bone.
        tolerance_mm: The share of vertices within +- this is reported.
        smooth: Whether the meshes for print are smoothed.
        decimate: Share of triangles taken from the meshes for print, 0 to 0.9.
    """

    bone: BoneSettings = field(default_factory=BoneSettings)
    tolerance_mm: float = 2.0  # mm, the paper's
    smooth: bool = False
    decimate: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """Surfaces as they come from the volumes (neither smoothed nor decimated) and their deviations."""

    reference: Mesh
    test: Mesh
    of_reference: Deviation
    of_test: Deviation
    regions_of_reference: dict[str, NDArray[np.bool_]]
    regions_of_test: dict[str, NDArray[np.bool_]]


def compare(
    reference: Volume,
    test: Volume,
    settings: SurfaceSettings,
    labels: Volume | None = None,
    label_names: dict[int, str] | None = None,
    names: tuple[str, str] = ("reference", "test"),
) -> Comparison:
    """Make both bone surfaces and measure each from the other.

    Vertices on cut faces (where bone is closed at the border of its volume) and outside the other volume are not
    compared: there the other volume can show no bone.

    Args:
        reference: HU; any grid.
        test: HU; any grid of the same world.
        settings: Threshold, cleaning, tolerance.
        labels: Optional label map in the same world.
        label_names: Label -> name.
        names: The two volumes in messages.

    Raises:
        SctError: A volume has no bone, or no bone of the reference lies inside the test volume.
    """
    if not 0 < settings.tolerance_mm < float("inf"):
        raise SctError(f"--tolerance-mm {settings.tolerance_mm:g}: must be above 0")
    for name in ("min_part_mm3", "fill_cavity_mm3"):
        if not 0 <= (value := getattr(settings.bone, name)) < float("inf"):
            raise SctError(f"--{name.replace('_', '-')} {value:g}: must be a number, 0 or above")
    of_both = bone_surface(reference, settings.bone, names[0]), bone_surface(test, settings.bone, names[1])
    of_reference = deviation_of_reference(*of_both, reference, test)
    if not of_reference.compared.any():
        raise SctError(
            f"{names[0]} and {names[1]}: no bone of the first lies inside the second; both must show the same head in "
            "the same world coordinates (register them first)"
        )
    return Comparison(
        reference=of_both[0],
        test=of_both[1],
        of_reference=of_reference,
        of_test=deviation_of_test(*of_both, reference, test),
        regions_of_reference=regions_of_vertices(of_both[0], labels, label_names or {}) if labels else {},
        regions_of_test=regions_of_vertices(of_both[1], labels, label_names or {}) if labels else {},
    )


def report(comparison: Comparison, settings: SurfaceSettings) -> dict[str, Any]:
    """All figures of a comparison as JSON values."""
    sides = {
        "reference_to_test": (comparison.of_reference, comparison.regions_of_reference),
        "test_to_reference": (comparison.of_test, comparison.regions_of_test),
    }
    figures: dict[str, Any] = {"settings": asdict(settings), "sign": SIGN_CONVENTION}
    for name, (deviation, regions) in sides.items():
        figures[name] = {
            **summary(deviation, settings.tolerance_mm),
            "not_compared": {"cut_face": deviation.n_cut_face, "outside_other_volume": deviation.n_outside},
            "regions": summaries_by_region(deviation, regions, settings.tolerance_mm),
        }
    figures["both_directions"] = agreement(comparison.of_reference, comparison.of_test, settings.tolerance_mm)
    return figures
