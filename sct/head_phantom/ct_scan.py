"""What a CT scanner makes of the head: kernel, noise, head rest, metal streaks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from sct.head_phantom.grid import Grid

__all__ = ["CtProtocol", "add_head_rest", "draw_ct_protocol", "scan_ct"]

Array = NDArray[np.float32]
_PAINTED_BLUR_MM = 0.3  # edges are painted with about the blur of one voxel; finer differences are not resolved


@dataclass(frozen=True)
class CtProtocol:
    """How a CT was made.

    Attributes:
        blur_mm: Standard deviation of the point spread in the axial plane.
        slice_blur_mm: The same along the body.
        sharpening: Edge enhancement of the bone kernel (0 none).
        noise_hu: Standard deviation of the noise in soft tissue at 1 mm voxels.
        cupping_hu: Beam hardening: how much the middle of a slice is darkened.
        rest_gap_mm: Distance between head and head rest.
        rest_radius_mm: Radius of the head rest's bowl.
        rest_hu: Density of its shell.
        pad_mm: Thickness of its foam.
    """

    blur_mm: float
    slice_blur_mm: float
    sharpening: float
    noise_hu: float
    cupping_hu: float
    rest_gap_mm: float
    rest_radius_mm: float
    rest_hu: float
    pad_mm: float


def draw_ct_protocol(rng: np.random.Generator, vendor: str) -> CtProtocol:
    """Draw a protocol; kernels differ between vendors."""
    sharp = {"Siemens": 0.55, "GE": 0.8, "Canon": 0.4}[vendor]
    return CtProtocol(
        blur_mm=float(rng.uniform(0.35, 0.6)),
        slice_blur_mm=float(rng.uniform(0.3, 0.6)),
        sharpening=float(sharp * rng.uniform(0.5, 1.4)),
        noise_hu=float(np.exp(rng.uniform(np.log(8), np.log(45)))),
        cupping_hu=float(rng.uniform(0, 18)),
        rest_gap_mm=float(rng.uniform(3, 12)),
        rest_radius_mm=float(rng.uniform(85, 140)),
        rest_hu=float(rng.uniform(-250, 150)),
        pad_mm=float(rng.choice([0.0, 8.0, 15.0, 25.0])),
    )


def scan_ct(hu: Array, metal: Array, grid: Grid, protocol: CtProtocol, rng: np.random.Generator) -> NDArray[np.int16]:
    """Turn ideal HU into a reconstructed CT.

    Args:
        hu: HU of the painted anatomy, texture included (X, Y, Z); overwritten.
        metal: Share of metal (X, Y, Z).
        grid: Its grid.
        protocol: The scanner's parameters.
        rng: Draws noise and streaks.

    Returns:
        HU, int16, from -1024 to 3071, with the head rest; air outside lies at -1000.
    """
    add_head_rest(hu, grid, protocol)
    _add_streaks(hu, metal, rng)
    h = grid.spacing_mm
    inside = gaussian_filter(hu[::4, ::4, ::4] > -300, 3.0, output=np.float32)  # thick parts harden and absorb most
    inside = np.repeat(np.repeat(np.repeat(inside, 4, 0), 4, 1), 4, 2)[: hu.shape[0], : hu.shape[1], : hu.shape[2]]
    hu -= np.float32(protocol.cupping_hu) * inside * inside
    plane, through = (
        float(np.sqrt(max(b * b - _PAINTED_BLUR_MM**2, 0))) for b in (protocol.blur_mm, protocol.slice_blur_mm)
    )
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    # Bone kernels pass high frequencies: the noise is white less its own blur.
    noise -= 0.8 * gaussian_filter(noise, (1.2, 1.2, 0.4), truncate=2.0)
    hu += np.float32(protocol.noise_hu / max(h, 0.5) ** 0.75) * (0.35 + 0.65 * inside) * noise
    sigma = (plane / h, plane / h, through / h)
    if max(sigma) > 0.2:
        hu = gaussian_filter(hu, sigma, truncate=3.0)
    if h < 1.6:  # coarser voxels do not resolve what the kernel enhances
        hu += np.float32(protocol.sharpening) * (hu - gaussian_filter(hu, (0.9 / h, 0.9 / h, 0), truncate=2.5))
    np.clip(hu, -1024, 3071, out=hu)
    return np.rint(hu, out=hu).astype(np.int16)


def add_head_rest(hu: Array, grid: Grid, protocol: CtProtocol) -> None:
    """Put a bowl of plastic with foam behind the head, where there is air."""
    tissue = hu[:, :, hu.shape[2] // 3 :] > -300
    columns = np.flatnonzero(tissue.any(axis=(0, 2)))
    if not len(columns):
        return
    back = grid.axis_mm(1)[columns[0]]
    middle = grid.axis_mm(0).mean()
    x, y = grid.axis_mm(0)[:, None] - middle, grid.axis_mm(1)[None, :]
    radius = protocol.rest_radius_mm
    # Flat or curved bowl: its lowest point lies under the head.
    from_shell = np.hypot(x, y - (back - protocol.rest_gap_mm - protocol.pad_mm * 0.3 + radius)) - radius
    is_low = np.clip((back + 45 - y) / 2, 0, 1)
    edge = grid.spacing_mm
    shell = np.clip((1.8 - np.abs(from_shell - 1.8)) / edge + 0.5, 0, 1) * is_low
    pad = np.clip((np.minimum(-from_shell, protocol.pad_mm + from_shell)) / edge + 0.5, 0, 1) * is_low
    rest = shell * (protocol.rest_hu + 1000) + (1 - shell) * pad * 60
    length = hu.shape[2]
    start = int(length * 0.25)
    air = np.clip((-hu[:, :, start:] - 300) / 700, 0, 1)
    hu[:, :, start:] += air * rest[:, :, None].astype(np.float32)


def _add_streaks(hu: Array, metal: Array, rng: np.random.Generator) -> None:
    """Dark and bright rays from metal within its axial slice."""
    for k in np.flatnonzero(metal.max(axis=(0, 1)) > 0.25):
        places = np.argwhere(metal[:, :, k] > 0.25)
        centre = places.mean(axis=0)
        x = np.arange(hu.shape[0])[:, None] - centre[0]
        y = np.arange(hu.shape[1])[None, :] - centre[1]
        angle, radius = np.arctan2(y, x), np.hypot(x, y) + 3
        rays = sum(np.cos(n * (angle + rng.uniform(0, 6.3))) * rng.uniform(0.3, 1) for n in (2, 6, 14, 26, 44))
        strength = min(len(places), 40) * 55.0
        present = np.clip((hu[:, :, k] + 700) / 500, 0.12, 1)
        hu[:, :, k] += (strength * rays / radius * present).astype(np.float32)
