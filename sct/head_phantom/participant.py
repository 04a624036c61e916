"""One participant of a phantom cohort: anatomy, painted once, seen by a CT and an MR scanner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.volume import Volume
from sct.head_phantom.ct_scan import draw_ct_protocol, scan_ct
from sct.head_phantom.displacement import Landmarks, draw_displacement, draw_landmarks
from sct.head_phantom.grid import Grid
from sct.head_phantom.head import draw_head
from sct.head_phantom.mr_scan import draw_mr_protocol, scan_mr
from sct.head_phantom.mr_signal import draw_sequence, tissue_signals
from sct.head_phantom.placement import draw_placement
from sct.head_phantom.presets import participant_columns, participant_id
from sct.head_phantom.randomness import generator
from sct.head_phantom.scene import Scene, draw_scene
from sct.head_phantom.settings import PhantomSettings
from sct.head_phantom.texture import texture
from sct.head_phantom.tissue import Tissue, draw_tissue_values
from sct.head_phantom.variants import draw_variants

__all__ = ["PhantomParticipant", "draw_anatomy", "make_participant"]

Array = NDArray[np.float32]

# Magnetic susceptibility relative to tissue, ppm: air and titanium by Schenck (Med Phys 1996); mineral is more
# diamagnetic than tissue, by how much is assumed.
_SUSCEPTIBILITY_PPM = {
    Tissue.OUTSIDE: 9.4,
    Tissue.AIR: 9.4,
    Tissue.CORTICAL: -1.5,
    Tissue.DENSE: -1.5,
    Tissue.ENAMEL: -2.0,
    Tissue.METAL: 190.0,
}
# Pitch (mm) and weight of the textures: trabeculae and larger variation of bone; marrow, fascicles, inhomogeneity.
_CT_TEXTURE = ((1.1, 0.7), (2.4, 0.8), (7.0, 0.6), (18.0, 0.5))
_MR_TEXTURE = ((1.6, 0.6), (4.0, 0.8), (11.0, 0.8), (25.0, 0.5))


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
    landmarks: Landmarks | None = None


def draw_anatomy(settings: PhantomSettings, index: int) -> Scene:
    """Draw the anatomy of participant number `index`, the same at any spacing."""
    columns = participant_columns(settings, index)
    seed = settings.seed
    head = draw_head(seed, index, float(columns["age"]), columns["sex"])
    variants = draw_variants(seed, index, head, columns["indication"])
    placement = draw_placement(seed, index, head, variants.shape_change)
    return draw_scene(seed, index, head, variants, placement)


def make_participant(settings: PhantomSettings, index: int) -> PhantomParticipant:
    """Make participant number `index` (from 0) of a cohort.

    Same settings and index give the same voxels; another spacing shows the same anatomy.
    """
    columns = participant_columns(settings, index)
    seed, technique = settings.seed, columns["technique"]
    scene = draw_anatomy(settings, index)
    head, centre = scene.head, scene.placement.centre_mm
    grid = _ct_grid(scene, settings.spacing_mm, generator(seed, index, "ct coverage"))
    values = draw_tissue_values(generator(seed, index, "tissue ct"), generator(seed, index, "tissue mr"), head.age)
    sequence = draw_sequence(generator(seed, index, "sequence"), technique, float(columns["field_strength"]))
    signals = tissue_signals(values, sequence)
    signals /= np.abs(signals).max()
    if technique == "GRE":  # fresh blood flows in unsaturated
        signals[Tissue.BLOOD] *= generator(seed, index, "inflow").uniform(1.0, 3.5)
    susceptibility = np.array([_SUSCEPTIBILITY_PPM.get(tissue, 0.0) for tissue in Tissue])
    metal = np.array([float(tissue == Tissue.METAL) for tissue in Tissue])
    table = np.stack(
        [values.hu, values.hu_texture, signals.real, signals.imag, values.mr_texture, susceptibility, metal]
    ).astype(np.float32)
    hu, hu_texture, real, imaginary, mr_texture, susceptibility_ppm, metal_share = scene.paint(grid, table)

    hu += texture(hu_texture, grid, generator(seed, index, "ct texture"), _CT_TEXTURE)
    ct_protocol = draw_ct_protocol(generator(seed, index, "ct protocol"), columns["ct_vendor"])
    ct = Volume(scan_ct(hu, metal_share, grid, ct_protocol, generator(seed, index, "ct noise")), grid.affine)

    mr_texture = 1 + texture(mr_texture, grid, generator(seed, index, "mr texture"), _MR_TEXTURE)
    np.maximum(mr_texture, 0.1, out=mr_texture)
    real *= mr_texture
    imaginary *= mr_texture
    mr_protocol = draw_mr_protocol(
        generator(seed, index, "mr protocol"), columns["mr_vendor"], technique, settings.spacing_mm, head.scale
    )
    displacement = landmarks = None
    if settings.displaced:
        displacement = draw_displacement(generator(seed, index, "displacement"), centre)
        landmarks = draw_landmarks(generator(seed, index, "landmarks"), scene.placement, displacement)
    mr = scan_mr(
        (real, imaginary),
        susceptibility_ppm,
        grid,
        centre,
        sequence,
        mr_protocol,
        generator(seed, index, "mr noise"),
        displacement,
    )
    return PhantomParticipant(participant_id(index), columns, mr, ct, displacement, landmarks)


def _ct_grid(scene: Scene, spacing_mm: float, rng: np.random.Generator) -> Grid:
    """The CT's field of view: the whole head and, as the case may be, more or less of the neck."""
    head = scene.head
    face = head.face_height
    bottom = -25 - face * float(rng.choice([70, 90, 115, 140], p=(0.15, 0.3, 0.35, 0.2)))
    sides, back, front, top = 100 * head.stretch[0], 122 * head.stretch[1], 130 * head.stretch[1], 134 * head.stretch[2]
    # The pose moves the corners: take the bounds of the turned box, a little less at the corners.
    low = scene.placement.centre_mm + head.scale * np.array([-sides, -back - 12, bottom])
    high = scene.placement.centre_mm + head.scale * np.array([sides, front, top])
    return Grid.covering(low, high, spacing_mm)
