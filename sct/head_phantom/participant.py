"""One participant of a phantom cohort: anatomy, painted once, seen by a CT and an MR scanner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.volume import Volume
from sct.head_phantom.anatomy import paint_head
from sct.head_phantom.canvas import Canvas
from sct.head_phantom.fields import LatticeField
from sct.head_phantom.grid import Grid, blocks
from sct.head_phantom.head import Head, draw_head
from sct.head_phantom.mr_signal import add_rician_noise, draw_sequence, tissue_signals
from sct.head_phantom.presets import participant_columns, participant_id
from sct.head_phantom.randomness import generator
from sct.head_phantom.settings import PhantomSettings
from sct.head_phantom.tissue import draw_tissue_values

__all__ = ["PhantomParticipant", "make_participant"]


@dataclass(frozen=True)
class PhantomParticipant:
    """A pair of scans and who they are of.

    Attributes:
        participant_id: As in participants.tsv.
        columns: The other columns of participants.tsv.
        mr: MR in arbitrary units, uint16.
        ct: CT in HU, int16.
        displacement: Affine (4, 4) from MR world to CT world in mm; None where both share one world.
        landmarks: Name -> (position in MR, position in CT) in mm RAS; None where not displaced.
    """

    participant_id: str
    columns: dict[str, str]
    mr: Volume
    ct: Volume
    displacement: NDArray[np.float64] | None = None
    landmarks: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None


def make_participant(settings: PhantomSettings, index: int) -> PhantomParticipant:
    """Make participant number `index` (from 0) of a cohort.

    Same settings and index give the same voxels; another spacing shows the same anatomy.
    """
    columns = participant_columns(settings, index)
    seed, age = settings.seed, float(columns["age"])
    head = draw_head(seed, index, age, columns["sex"])
    values = draw_tissue_values(generator(seed, index, "tissue ct"), generator(seed, index, "tissue mr"), age)
    sequence = draw_sequence(generator(seed, index, "sequence"), columns["technique"], float(columns["field_strength"]))
    signals = tissue_signals(values, sequence)
    table = np.stack([values.hu, signals.real, signals.imag]).astype(np.float32)
    low, high = head.scale * np.array([-88.0, -110.0, -130.0]), head.scale * np.array([88.0, 125.0, 132.0])
    grid = Grid.covering(low, high, settings.spacing_mm)
    hu, real, imaginary = _paint(grid, head, table)
    rng = generator(seed, index, "ct noise")
    hu += 30 * rng.standard_normal(hu.shape, dtype=np.float32)
    ct = np.clip(np.rint(hu), -1000, 3071).astype(np.int16)
    rng = generator(seed, index, "mr noise")
    bias = LatticeField.noise(rng, tuple(low), tuple(high), 90.0).on_axes(*(grid.axis_mm(i) for i in range(3)))
    bias = np.exp(0.2 * bias)
    brightest = float(np.abs(signals).max())
    mr = add_rician_noise(real * bias, imaginary * bias, 0.025 * brightest, rng)
    mr = np.clip(np.rint(mr * (1500 / brightest)), 0, 65535).astype(np.uint16)
    return PhantomParticipant(participant_id(index), columns, Volume(mr, grid.affine), Volume(ct, grid.affine))


def _paint(grid: Grid, head: Head, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix the columns of `table` (channels, tissues) by the shares of the tissues: (channels, X, Y, Z)."""
    result = np.empty((len(table), *grid.shape), dtype=np.float32)
    axes = [(grid.axis_mm(i) / head.scale).astype(np.float32) for i in range(3)]
    for i, j, k in blocks(grid.shape):
        x, y, z = (np.ascontiguousarray(c) for c in np.meshgrid(axes[0][i], axes[1][j], axes[2][k], indexing="ij"))
        canvas = Canvas(x, y, z, grid.spacing_mm / head.scale)
        paint_head(canvas, head)
        result[:, i, j, k] = np.tensordot(table, canvas.fractions, axes=1)
    return result
