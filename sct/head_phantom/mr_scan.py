"""What an MR scanner makes of the head: grid, resolution, susceptibility, coil bias, noise, scaling."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfftn, rfftn
from scipy.ndimage import affine_transform, zoom

from sct.core.volume import Volume
from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid
from sct.head_phantom.mr_signal import Sequence, add_rician_noise

__all__ = ["MrProtocol", "dephasing", "draw_mr_protocol", "field_shift_hz", "scan_mr"]

Array = NDArray[np.float32]
_GYROMAGNETIC_MHZ_PER_TESLA = 42.577


@dataclass(frozen=True)
class MrProtocol:
    """How an MR was made, apart from the sequence.

    Attributes:
        spacing_mm: Edge of a voxel.
        fov_mm: Field of view along x, y, z.
        offset_mm: Centre of the field of view from the head's centre.
        resolution: Width of the point spread in voxels (above 1: apodised; ringing below).
        bias: Strength of the coil's shading (standard deviation of the logarithm) and its edge brightening.
        bias_pitch_mm: Smoothness of the shading.
        noise: Standard deviation relative to the brightest tissue.
        noise_blur: Weight of a voxel's neighbours in the noise (reconstruction filter).
        gain: Stored value of the brightest tissue.
        orientation: Axes of the stored array.
    """

    spacing_mm: float
    fov_mm: tuple[float, float, float]
    offset_mm: tuple[float, float, float]
    resolution: float
    bias: tuple[float, float]
    bias_pitch_mm: float
    noise: float
    noise_blur: float
    gain: float
    orientation: str


def draw_mr_protocol(
    rng: np.random.Generator, vendor: str, technique: str, spacing_mm: float, head_scale: float
) -> MrProtocol:
    """Draw a protocol: voxels of 0.75 to 1.13 times the nominal spacing, a field of view of 20-30 cm.

    Left-right, where heads are narrower, it is 15-27 cm. Only gain and orientation depend on the vendor.
    """
    wide = float(np.clip(245 * head_scale**0.7 * np.exp(0.07 * rng.standard_normal()), 200, 300))
    tall = float(np.clip(wide * rng.uniform(0.95, 1.15), 200, 300))
    size = float(rng.choice([0.7, 0.8, 0.9, 1.0], p=(0.1, 0.25, 0.3, 0.35)))
    ringing = rng.uniform(0.95, 1.25) if technique == "GRE" else rng.uniform(1.05, 1.5)  # radial: no sharp cut
    return MrProtocol(
        spacing_mm=max(size, wide / 265) * spacing_mm,  # at most 265 voxels from front to back
        fov_mm=(wide * float(rng.uniform(0.75, 0.9)), wide, tall),
        offset_mm=(float(rng.normal(0, 2)), float(rng.normal(4, 4)), float(rng.normal(9 * head_scale, 7))),
        resolution=float(ringing),
        bias=(float(rng.uniform(0.03, 0.22)), float(rng.uniform(0.0, 0.5))),
        bias_pitch_mm=float(rng.uniform(70, 130)),
        noise=float(np.exp(rng.uniform(np.log(0.008), np.log(0.05)))),
        noise_blur=float(rng.uniform(0.0, 0.35)),
        gain=float(rng.uniform(250, 1400) if vendor == "Siemens" else np.exp(rng.uniform(np.log(600), np.log(12000)))),
        orientation="sagittal" if vendor == "Siemens" and technique != "UTE" else "axial",
    )


def field_shift_hz(susceptibility_ppm: Array, field_tesla: float) -> Array:
    """Shift of the precession by magnetised surroundings: convolution with a dipole along z (Marques 2005).

    The mean shift (k = 0) is zero; the field of view repeats, so give it a margin.
    """
    shape = susceptibility_ppm.shape
    kx, ky, kz = (np.fft.fftfreq(n) if i < 2 else np.fft.rfftfreq(n) for i, n in enumerate(shape))
    k2 = kx[:, None, None] ** 2 + ky[None, :, None] ** 2 + kz[None, None, :] ** 2
    k2[0, 0, 0] = 1.0
    dipole = (1 / 3 - kz[None, None, :] ** 2 / k2).astype(np.float32)
    dipole[0, 0, 0] = 0.0
    shift = irfftn(rfftn(susceptibility_ppm) * dipole, s=shape)
    return np.asarray(shift * np.float32(_GYROMAGNETIC_MHZ_PER_TESLA * field_tesla), dtype=np.float32)


def dephasing(shift_hz: Array, spacing_mm: float, voxel_mm: float, te_ms: float) -> Array:
    """Signal left after dephasing across a voxel: the product of |sinc(gradient x voxel x TE)| over the axes."""
    left = np.ones_like(shift_hz)
    for gradient in np.gradient(shift_hz, spacing_mm):
        left *= np.abs(np.sinc(gradient * np.float32(voxel_mm * te_ms / 1000)))
    return left


def scan_mr(
    signal: tuple[Array, Array],
    susceptibility_ppm: Array,
    grid: Grid,
    centre_mm: NDArray[np.float64],
    sequence: Sequence,
    protocol: MrProtocol,
    rng: np.random.Generator,
    displacement: NDArray[np.float64] | None = None,
) -> Volume:
    """Turn ideal complex signal into a magnitude image on the MR's own grid.

    Args:
        signal: Real and imaginary part (X, Y, Z), brightest tissue about 1; overwritten.
        susceptibility_ppm: Relative to tissue (X, Y, Z).
        grid: The grid of both.
        centre_mm: Centre of the head.
        sequence: Field strength and echo time.
        protocol: The scanner's parameters.
        rng: Draws noise and bias.
        displacement: Affine from MR world to the grid's world; None where they are one.

    Returns:
        uint16 image.
    """
    coarse = 3 if grid.spacing_mm < 1 else 2 if grid.spacing_mm < 2 else 1
    rough = susceptibility_ppm[::coarse, ::coarse, ::coarse]
    step = grid.spacing_mm * coarse
    shift = field_shift_hz(np.pad(rough, 12, mode="edge"), sequence.field_tesla)[12:-12, 12:-12, 12:-12]
    # Radial sequences sample for some time after TE.
    te_ms = sequence.te_ms + (0.0 if sequence.technique == "GRE" else 0.12)
    left = dephasing(shift, step, protocol.spacing_mm, te_ms)
    if coarse > 1:
        left = zoom(
            left, [n / m for n, m in zip(grid.shape, left.shape, strict=True)], order=1, grid_mode=True, mode="nearest"
        )
    for part in signal:
        part *= left
    low = centre_mm + np.array(protocol.offset_mm) - np.array(protocol.fov_mm) / 2
    own = Grid.covering(low, low + np.array(protocol.fov_mm), protocol.spacing_mm)
    parts = [_resample(part, grid, own, protocol, displacement) for part in signal]
    axes = [own.axis_mm(i) for i in range(3)]
    margin = protocol.bias_pitch_mm
    shading = LatticeField.noise(rng, tuple(low - margin), tuple(low + np.array(protocol.fov_mm) + margin), margin)
    bias = shading.on_axes(*axes) * np.float32(protocol.bias[0])
    # Coils lie around the head: brighter towards the edge.
    radius2 = sum(
        (((axis - c) / 100) ** 2).astype(np.float32).reshape([-1 if j == i else 1 for j in range(3)])
        for i, (axis, c) in enumerate(zip(axes, centre_mm, strict=True))
    )
    bias += np.float32(protocol.bias[1]) * np.minimum(radius2, 1.6)
    np.exp(bias, out=bias)
    parts = [part * bias for part in parts]
    noisy = add_rician_noise(parts[0], parts[1], protocol.noise, rng, protocol.noise_blur)
    noisy *= np.float32(protocol.gain)
    data = np.clip(np.rint(noisy, out=noisy), 0, 65535).astype(np.uint16)
    return _oriented(Volume(data, own.affine), protocol.orientation)


def _resample(
    part: Array, grid: Grid, own: Grid, protocol: MrProtocol, displacement: NDArray[np.float64] | None
) -> Array:
    """Bring a painted image to the scanner's grid through its point spread."""
    if displacement is None:
        result = part
        for axis in range(3):
            weights = _point_spread(own.axis_mm(axis), grid.axis_mm(axis), own.spacing_mm, protocol.resolution)
            result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(result)
    sharp = part
    for axis in range(3):
        weights = _point_spread(grid.axis_mm(axis), grid.axis_mm(axis), own.spacing_mm, protocol.resolution)
        sharp = np.moveaxis(np.tensordot(weights, sharp, axes=(1, axis)), 0, axis)
    to_grid = np.linalg.inv(grid.affine) @ displacement @ own.affine
    result = affine_transform(sharp, to_grid[:3, :3], to_grid[:3, 3], output_shape=own.shape, order=1)
    return np.asarray(result)


def _point_spread(
    places: NDArray[np.float64], samples: NDArray[np.float64], voxel_mm: float, resolution: float
) -> Array:
    """Weights (places, samples) of a windowed sinc: an apodised cut-off in k-space; zero outside the samples."""
    step = samples[1] - samples[0]
    # Samples coarser than the wanted resolution cannot be sharpened: the kernel then interpolates.
    width = max(voxel_mm * resolution, step)
    u = (places[:, None] - samples[None, :]) / width
    weights = np.sinc(u) * np.where(np.abs(u) < 3, np.cos(np.pi * u / 6) ** 2, 0.0)
    return np.asarray(weights * step / width, dtype=np.float32)


def _oriented(volume: Volume, orientation: str) -> Volume:
    """Store the axes as scanners do: LPS for axial series, PSR for sagittal ones. No resampling."""
    order, flips = ((1, 2, 0), (0,)) if orientation == "sagittal" else ((0, 1, 2), (0, 1))
    affine = volume.affine[:, [*order, 3]].copy()
    data = np.transpose(volume.data, order)
    for axis in flips:
        data = np.flip(data, axis)
        affine[:3, 3] += affine[:3, axis] * (data.shape[axis] - 1)
        affine[:3, axis] *= -1
    return Volume(np.ascontiguousarray(data), affine)
