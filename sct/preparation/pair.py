"""A participant's two volumes, checked and brought onto one isotropic RAS+ grid."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.cohorts.cohort import Participant
from sct.core.errors import SctError
from sct.core.volume import AIR_HU, Volume
from sct.geometry.registration import moved, register
from sct.geometry.resample import isotropic_grid, resample
from sct.io.volumes import read_volume
from sct.preparation.settings import PrepareSettings
from sct.slices.mask import TISSUE_HU, otsu

__all__ = [
    "IsotropicPair",
    "check_ct",
    "check_mr",
    "check_not_equal",
    "check_not_swapped",
    "load_pair",
    "signal_level",
    "value_range",
    "without_padding",
]

# Below the least HU of a calibrated scale lie only padding values (-2000, -3024, -8192), which must not be smeared.
_LEAST_HU = -1024.0
_GREATEST_HU = 65535.0  # metal on an extended scale stays far below
_LOOKS_LIKE_HU = -500.0  # an MR has no values as negative as air's on the CT scale


@dataclass(frozen=True)
class IsotropicPair:
    """MR and CT of a participant on the grid of `affine`.

    Attributes:
        mr: (X, Y, Z) float32, in the scanner's units; `mr_range[0]` outside the field of view.
        ct_hu: (X, Y, Z) float32, in HU.
        field_of_view: (X, Y, Z) bool, where the MR was taken.
        mask: (X, Y, Z) bool, the participant's own mask; None without one.
        affine: (4, 4) voxel -> world mm, RAS.
        mr_range: MR values of the whole volume, before resampling, that become gray 0 and 255.
        mr_signal_level: MR values above are signal, those below may be noise.
        registration: Report with `matrix` (MR world -> CT world in mm) and `warnings`; None without registration.
    """

    mr: NDArray[np.float32]
    ct_hu: NDArray[np.float32]
    field_of_view: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None
    affine: NDArray[np.float64]
    mr_range: tuple[float, float]
    mr_signal_level: float
    registration: dict[str, Any] | None


def load_pair(participant: Participant, settings: PrepareSettings) -> IsotropicPair:
    """Read, check, register and resample: the MR and the mask go into the world and onto the grid of the CT.

    Raises:
        SctError: A volume cannot be read, is constant, the CT is not in HU or shows no tissue, the two look swapped,
            are one, or do not overlap, or the mask file that the settings ask for is missing.
    """
    mr, ct = read_volume(participant.mr), read_volume(participant.ct)
    check_not_swapped(mr, participant.mr, ct, participant.ct)
    check_mr(mr, participant.mr)
    check_ct(ct, participant.ct)
    check_not_equal(mr, participant.mr, ct, participant.ct)
    mr_range = value_range(mr.data, settings)
    if not mr_range[0] < mr_range[1]:
        raise SctError(f"{participant.mr}: percentiles {settings.mr_percentiles} are both {mr_range[0]:g}")
    mr, registration = _registered(mr, ct, participant, settings)
    shape, affine = isotropic_grid(ct, settings.spacing_mm)
    mr_values, field_of_view = resample(mr, shape, affine, order=1, fill=mr_range[0])
    if not field_of_view.any():
        raise SctError(
            f"{participant.mr}: does not overlap with {participant.ct.name} in space: MR spans {_span(mr)}, "
            f"CT {_span(ct)}; same patient, and headers of one frame of reference?"
        )
    ct_hu, _ = resample(without_padding(ct), shape, affine, order=1, fill=AIR_HU)
    mask = None
    if settings.mask == "file":
        if participant.mask is None:
            raise SctError(f"{participant.ct.parent}: no mask file, which prepare.mask=file asks for")
        mask = resample(read_volume(participant.mask), shape, affine, order=0, fill=0.0)[0] > 0
    return IsotropicPair(mr_values, ct_hu, field_of_view, mask, affine, mr_range, signal_level(mr.data), registration)


def value_range(mr: NDArray[np.generic], settings: PrepareSettings) -> tuple[float, float]:
    """The MR values that become gray 0 and 255, of a volume or a slice of any shape."""
    if settings.mr_scaling == "range":
        return float(mr.min()), float(mr.max())
    low, high = np.percentile(np.asarray(mr, np.float32), settings.mr_percentiles)
    return float(low), float(high)


def signal_level(mr: NDArray[np.generic]) -> float:
    """Half of Otsu's threshold between air and tissue, of every second voxel, without the brightest 0.5 %.

    Half, because tissue far from the coil is darker than the rest of it.

    Args:
        mr: (X, Y, Z), any units.
    """
    some = np.asarray(mr[::2, ::2, ::2], np.float32)
    threshold, _ = otsu(np.minimum(some, np.percentile(some, 99.5)))
    lowest = float(some.min())
    return lowest + (threshold - lowest) / 2


def check_mr(mr: Volume, path: Path) -> None:
    """Refuse a constant MR.

    Raises:
        SctError: Names the file.
    """
    if mr.data.min() == mr.data.max():
        raise SctError(f"{path}: constant volume (every voxel is {mr.data.flat[0]:g}); an MR was expected")


def check_ct(ct: Volume, path: Path) -> None:
    """Refuse a CT that is constant, not in HU, or empty.

    Raises:
        SctError: Names the file.
    """
    low, high = float(ct.data.min()), float(ct.data.max())
    if low == high:
        raise SctError(f"{path}: constant volume (every voxel is {low:g}); a CT in HU was expected")
    if low > TISSUE_HU or high > _GREATEST_HU:
        raise SctError(
            f"{path}: not in Hounsfield units: values from {low:g} to {high:g}; air near -1000 was expected "
            "(apply the rescale slope and intercept)"
        )
    if high <= TISSUE_HU:
        raise SctError(f"{path}: shows no tissue: no value over {TISSUE_HU:g} HU, the highest is {high:g}")


def without_padding(ct: Volume) -> Volume:
    """A CT whose padding values (-2000, -3024, ...) are raised to -1024 HU, so that no interpolation smears them."""
    if ct.data.min() >= _LEAST_HU:
        return ct
    return Volume(np.maximum(ct.data, np.float32(_LEAST_HU)), ct.affine)


def check_not_swapped(mr: Volume, mr_path: Path, ct: Volume, ct_path: Path) -> None:
    """Refuse a pair where the MR has the values of a CT and the CT has not.

    Raises:
        SctError: Names both files.
    """
    if ct.data.min() > TISSUE_HU and mr.data.min() <= _LOOKS_LIKE_HU:
        raise SctError(
            f"{mr_path}: MR and CT look swapped: the MR's lowest value is {mr.data.min():g} (as in Hounsfield units), "
            f"that of {ct_path.name} is {ct.data.min():g}"
        )


def check_not_equal(mr: Volume, mr_path: Path, ct: Volume, ct_path: Path) -> None:
    """Refuse a pair that is one volume twice.

    Raises:
        SctError: Names both files.
    """
    if np.array_equal(mr.data, ct.data) and np.allclose(mr.affine, ct.affine, atol=1e-3):
        raise SctError(f"{mr_path}: the same volume as {ct_path.name}, voxel for voxel; an MR was expected")


def _registered(
    mr: Volume, ct: Volume, participant: Participant, settings: PrepareSettings
) -> tuple[Volume, dict[str, Any] | None]:
    """The MR at its place in the CT's world, the same voxels with another affine, and the report."""
    if settings.registration == "none":
        return mr, None
    found = register(mr, ct, settings.registration, participant.landmarks)
    return moved(mr, found), {**found.report, "matrix": found.matrix.tolist(), "warnings": found.warnings}


def _span(volume: Volume) -> str:
    """Extent in world mm along right, anterior and superior."""
    corners = np.stack(np.meshgrid(*[(0, n - 1) for n in volume.shape], indexing="ij")).reshape(3, 8)
    world = volume.affine[:3, :3] @ corners + volume.affine[:3, 3:]
    spans = zip(world.min(axis=1), world.max(axis=1), strict=True)
    return " ".join(f"{axis} {low:.0f}..{high:.0f}" for axis, (low, high) in zip("RAS", spans, strict=True)) + " mm"
