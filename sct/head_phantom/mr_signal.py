"""What an MR sequence measures of a tissue: the spoiled gradient echo signal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from sct.head_phantom.tissue import TissueValues

__all__ = ["Sequence", "add_rician_noise", "draw_sequence", "spoiled_gradient_echo", "tissue_signals"]

_FAT_SHIFT_HZ_PER_TESLA = 3.4 * 42.577  # fat precesses 3.4 ppm slower than water


@dataclass(frozen=True)
class Sequence:
    """A 3-D gradient echo sequence.

    Attributes:
        technique: ZTE, UTE or GRE.
        field_tesla: Main field.
        te_ms: Echo time; of ZTE and UTE the effective delay from excitation to sampling.
        tr_ms: Repetition time.
        flip_deg: Flip angle in degrees.
    """

    technique: str
    field_tesla: float
    te_ms: float
    tr_ms: float
    flip_deg: float


def draw_sequence(rng: np.random.Generator, technique: str, field_tesla: float) -> Sequence:
    """Draw a protocol in the ranges of the paper: TE 0-25 us (ZTE), 50-200 us (UTE), 1-2 ms (GRE)."""
    if technique == "ZTE":
        te_ms, tr_ms, flip = rng.uniform(0.0, 0.025), rng.uniform(0.7, 2.0), rng.uniform(0.8, 2.5)
    elif technique == "UTE":
        te_ms, tr_ms, flip = rng.uniform(0.05, 0.2), rng.uniform(3.0, 6.0), rng.uniform(3.0, 9.0)
    elif technique == "GRE":
        te_ms, tr_ms, flip = rng.uniform(1.0, 2.0), rng.uniform(4.0, 9.0), np.exp(rng.uniform(np.log(3), np.log(16)))
    else:
        raise ValueError(f"technique {technique!r} is none of ZTE, UTE, GRE")
    return Sequence(technique, field_tesla, float(te_ms), float(tr_ms), float(flip))


def spoiled_gradient_echo(
    density: NDArray[np.float32],
    t1_ms: NDArray[np.float32],
    t2star_ms: NDArray[np.float32],
    *,
    te_ms: float,
    tr_ms: float,
    flip_deg: float,
) -> NDArray[np.float64]:
    """Steady-state signal PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE / T2*), with E1 = exp(-TR / T1).

    It is greatest at the Ernst angle cos(a) = E1 (Ernst and Anderson 1966). Arrays of one shape; same shape back.
    """
    flip = np.deg2rad(flip_deg)
    e1 = np.exp(-tr_ms / np.asarray(t1_ms, dtype=np.float64))
    return np.asarray(
        density * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1) * np.exp(-te_ms / np.asarray(t2star_ms, float))
    )


def tissue_signals(values: TissueValues, sequence: Sequence) -> NDArray[np.complex128]:
    """Complex signal of each tissue, shape (tissues,): water at phase zero, fat turned by its chemical shift at TE."""
    # T1 of water grows with the field by about B0^0.3 (Bottomley 1984, Rooney 2007); the table is for 3 T.
    t1_ms = values.t1_ms * (sequence.field_tesla / 3.0) ** 0.3
    # T2* falls with the field; that of bone, ruled by its solid matrix, hardly.
    exponent = np.where(values.t2star_ms < 2, 0.15, 0.5)
    t2star_ms = (values.t2star_ms * (3.0 / sequence.field_tesla) ** exponent).astype(np.float32)
    timing = {"te_ms": sequence.te_ms, "tr_ms": sequence.tr_ms, "flip_deg": sequence.flip_deg}
    whole = spoiled_gradient_echo(values.density, t1_ms, t2star_ms, **timing)
    phase = 2 * np.pi * _FAT_SHIFT_HZ_PER_TESLA * sequence.field_tesla * sequence.te_ms / 1000
    return np.asarray(whole * (1 - values.fat_share + values.fat_share * np.exp(1j * phase)))


def add_rician_noise(
    real: NDArray[np.float32],
    imaginary: NDArray[np.float32],
    sigma: float,
    rng: np.random.Generator,
    neighbours: float = 0.0,
) -> NDArray[np.float32]:
    """Magnitude of a complex signal with Gaussian noise of this standard deviation in both channels.

    `neighbours` above zero correlates the noise of neighbouring voxels (weights n : 1 : n along each axis), as
    reconstruction filters do; its standard deviation stays the same.
    """
    taps = np.array([neighbours, 1.0, neighbours], dtype=np.float32)
    taps /= np.sqrt(np.sum(taps**2))
    power = np.zeros(real.shape, dtype=np.float32)
    for part in (real, imaginary):
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        if neighbours > 0:
            for axis in range(noise.ndim):
                noise = correlate1d(noise, taps, axis, mode="wrap")
        noise *= np.float32(sigma)
        noise += part
        noise *= noise
        power += noise
    return np.asarray(np.sqrt(power, out=power))
