"""Tissues, and what a CT and an MR scanner see of them.

MR values are typical of 3 T (T1 scaled for 1.5 T where signals are computed); HU those of a bone kernel at 120 kVp.
The mineral density (HU) and the MR values of a participant are drawn independently, so no curve maps one to the other.
"""

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

__all__ = ["TISSUES", "Tissue", "TissueValues", "draw_tissue_values"]


class Tissue(IntEnum):
    """Names of the tissues; the value is the place in every table."""

    OUTSIDE = 0
    AIR = auto()
    SKIN = auto()
    FAT = auto()
    MUSCLE = auto()
    MUCOSA = auto()
    GLAND = auto()
    CARTILAGE = auto()
    FIBROUS = auto()
    CORTICAL = auto()
    DENSE = auto()
    TRABECULAR = auto()
    ENAMEL = auto()
    DENTIN = auto()
    PULP = auto()
    GREY = auto()
    WHITE = auto()
    CSF = auto()
    VITREOUS = auto()
    LENS = auto()
    BLOOD = auto()
    FLUID = auto()
    TUMOUR = auto()
    METAL = auto()


@dataclass(frozen=True)
class _Typical:
    """Typical values, and the spread between participants of HU (absolute) and of PD, T1, T2* (relative)."""

    hu: float
    hu_sd: float
    density: float
    t1_ms: float
    t2star_ms: float
    fat_share: float = 0.0
    spread: float = 0.12
    hu_texture: float = 0.0
    mr_texture: float = 0.05


# Adult values. T1 at 3 T (Stanisz 2005, Bojorquez 2017); cortical bone water T1, T2* (Du 2010, Weiger 2013: UTE).
TISSUES: dict[Tissue, _Typical] = {
    Tissue.OUTSIDE: _Typical(-1000, 0, 0.0, 1000, 1, mr_texture=0.0),
    Tissue.AIR: _Typical(-1000, 8, 0.0, 1000, 1, mr_texture=0.0),
    Tissue.SKIN: _Typical(30, 25, 0.65, 900, 12, 0.1),
    Tissue.FAT: _Typical(-95, 12, 0.90, 380, 38, 0.92, hu_texture=10, mr_texture=0.07),
    Tissue.MUSCLE: _Typical(55, 8, 0.78, 1350, 26, 0.03, hu_texture=8, mr_texture=0.07),
    Tissue.MUCOSA: _Typical(35, 10, 0.85, 1500, 30, hu_texture=8, mr_texture=0.1),
    Tissue.GLAND: _Typical(20, 25, 0.82, 1000, 25, 0.2, hu_texture=15, mr_texture=0.1),
    Tissue.CARTILAGE: _Typical(120, 30, 0.70, 1050, 18, hu_texture=20),
    Tissue.FIBROUS: _Typical(70, 25, 0.60, 950, 8),
    Tissue.CORTICAL: _Typical(1550, 130, 0.26, 260, 0.42, spread=0.22, hu_texture=90, mr_texture=0.12),
    Tissue.DENSE: _Typical(1950, 150, 0.18, 230, 0.38, spread=0.22, hu_texture=130, mr_texture=0.12),
    Tissue.TRABECULAR: _Typical(540, 130, 0.66, 480, 5.0, 0.55, spread=0.2, hu_texture=150, mr_texture=0.14),
    Tissue.ENAMEL: _Typical(2700, 200, 0.04, 200, 0.25, spread=0.25),
    Tissue.DENTIN: _Typical(1650, 120, 0.14, 230, 0.32, spread=0.25, hu_texture=60),
    Tissue.PULP: _Typical(60, 20, 0.85, 1200, 25),
    Tissue.GREY: _Typical(38, 3, 0.83, 1450, 52, hu_texture=2, mr_texture=0.03),
    Tissue.WHITE: _Typical(29, 3, 0.71, 860, 48, hu_texture=2, mr_texture=0.03),
    Tissue.CSF: _Typical(6, 4, 1.0, 4000, 400, spread=0.06, mr_texture=0.03),
    Tissue.VITREOUS: _Typical(8, 4, 0.99, 3900, 300, spread=0.06, mr_texture=0.01),
    Tissue.LENS: _Typical(90, 15, 0.62, 1100, 12),
    Tissue.BLOOD: _Typical(48, 6, 0.88, 1700, 40, spread=0.25),
    Tissue.FLUID: _Typical(18, 10, 0.95, 2300, 120, spread=0.25),
    Tissue.TUMOUR: _Typical(48, 15, 0.86, 1500, 45, spread=0.2, hu_texture=14, mr_texture=0.12),
    Tissue.METAL: _Typical(5000, 0, 0.0, 1000, 0.1, mr_texture=0.0),
}
_MINERAL = (Tissue.CORTICAL, Tissue.DENSE, Tissue.TRABECULAR)


@dataclass(frozen=True)
class TissueValues:
    """One participant's tissues; every array has one value per `Tissue`."""

    hu: NDArray[np.float32]
    hu_texture: NDArray[np.float32]
    density: NDArray[np.float32]
    t1_ms: NDArray[np.float32]
    t2star_ms: NDArray[np.float32]
    fat_share: NDArray[np.float32]
    mr_texture: NDArray[np.float32]


def draw_tissue_values(rng_ct: np.random.Generator, rng_mr: np.random.Generator, age: float) -> TissueValues:
    """Draw what a participant's tissues look like.

    Args:
        rng_ct: Draws the HU.
        rng_mr: Draws proton density, T1, T2* and fat, independently of the HU.
        age: Years; bone mineral rises, marrow turns from red to fatty, white matter myelinates.
    """
    table = [TISSUES[tissue] for tissue in Tissue]
    hu = np.array([t.hu + t.hu_sd * rng_ct.standard_normal() for t in table])
    texture = np.array([t.hu_texture for t in table]) * np.exp(0.25 * rng_ct.standard_normal(len(table)))
    # Mineral density: about half of the adult's at birth, three quarters at 2 years, 95 % at 7.
    mineral = (0.52 + 0.48 * (1 - np.exp(-age / 3.0))) * np.exp(0.06 * rng_ct.standard_normal())
    for tissue in _MINERAL:
        hu[tissue] *= mineral
    hu[Tissue.DENSE] /= mineral**0.6  # the bone around the inner ear is nearly mature at birth
    hu[Tissue.DENSE] = max(hu[Tissue.DENSE], 1.05 * hu[Tissue.CORTICAL])

    def spread(values: list[float]) -> NDArray[np.float64]:
        widths = np.array([t.spread for t in table])
        return np.array(values) * np.exp(widths * rng_mr.standard_normal(len(table)))

    density = np.minimum(spread([t.density for t in table]), 1.0)
    t1_ms = spread([t.t1_ms for t in table])
    t2star_ms = np.array([t.t2star_ms for t in table]) * np.exp(0.12 * rng_mr.standard_normal(len(table)))
    fat = np.array([t.fat_share for t in table])
    marrow = float(np.clip(0.15 + 0.5 * (1 - np.exp(-age / 12.0)) + 0.1 * rng_mr.standard_normal(), 0.02, 0.9))
    fat[Tissue.TRABECULAR] = marrow
    t1_ms[Tissue.TRABECULAR] *= 1.6 - 0.8 * marrow
    unmyelinated = float(np.exp(-age / 0.7))
    density[Tissue.WHITE] += (0.93 - density[Tissue.WHITE]) * unmyelinated
    t1_ms[Tissue.WHITE] *= 1 + 1.6 * unmyelinated
    t1_ms[Tissue.GREY] *= 1 + 0.35 * unmyelinated
    arrays = (hu, texture, density, t1_ms, t2star_ms, fat, np.array([t.mr_texture for t in table]))
    return TissueValues(*(a.astype(np.float32) for a in arrays))
