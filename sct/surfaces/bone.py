"""From HU to a closed bone surface."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.surfaces.mesh import Mesh, from_polydata

__all__ = ["BoneSettings", "bone_surface"]

# No voxel counts as nearer to the threshold than this: a voxel exactly on it would give triangles without area, whose
# corners fall together in a file. It moves the surface by what HU takes to change by 1: micrometres at a bone edge.
SMALLEST_CONTRAST_HU = 1.0
# Metal counts as this much above the threshold, so that the contrast above stays a visible part of a voxel.
LARGEST_CONTRAST_HU = 4000.0


@dataclass(frozen=True)
class BoneSettings:
    """What counts as bone.

    Attributes:
        threshold_hu: Voxels from here on are bone.
        min_part_mm3: Connected parts of bone smaller than this are specks of noise and are left out.
        fill_cavity_mm3: Cavities enclosed in bone up to this volume are filled; 0 fills none.
    """

    threshold_hu: float = 300.0  # lowest threshold of the study's bone measures
    min_part_mm3: float = 100.0  # a cube of 4.6 mm: keeps teeth and hyoid, drops noise
    fill_cavity_mm3: float = 0.0


def bone_surface(volume: Volume, settings: BoneSettings, name: str) -> Mesh:
    """The surface of bone as a closed mesh in world mm.

    The surface runs where HU, interpolated linearly between neighbouring voxels, equals the threshold. Where bone
    reaches the border of the volume it is closed by a cut face half a voxel outside the last voxel centres, that is at
    the border of the voxels.

    Args:
        volume: HU, any orientation and spacing.
        settings: Threshold and cleaning.
        name: The volume's name in messages.

    Returns:
        A watertight manifold mesh, normals outward.

    Raises:
        SctError: There is no bone, or none is left after cleaning.
    """
    import pyvista

    contrast, corner = _contrast_around_bone(volume, settings, name)
    contrast = _cleaned(contrast, abs(float(np.linalg.det(volume.affine[:3, :3]))), settings, name)
    padded = np.pad(contrast, 1, mode="edge")
    border = np.ones(padded.shape, dtype=bool)
    border[1:-1, 1:-1, 1:-1] = False
    padded[border] = -np.abs(padded[border])

    grid = pyvista.ImageData(dimensions=padded.shape, origin=(-1.0, -1.0, -1.0))
    grid.point_data["contrast"] = padded.ravel(order="F")
    surface = from_polydata(
        grid.contour([0.0], scalars="contrast", method="flying_edges", compute_normals=False, compute_scalars=False)
    )
    linear, offset = volume.affine[:3, :3], volume.affine[:3, 3]
    points_mm = (surface.points_mm + corner) @ linear.T + offset
    faces = surface.faces
    # Flying edges winds its triangles outward in voxel space; an affine that mirrors turns them inside out.
    if np.linalg.det(linear) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return Mesh(points_mm, faces)


def _contrast_around_bone(
    volume: Volume, settings: BoneSettings, name: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """HU above the threshold, never zero, in the box of the bone plus one voxel, and the box's first voxel."""
    bone = np.asarray(volume.data, dtype=np.float32) >= settings.threshold_hu
    if not bone.any():
        highest = float(volume.data.max())
        raise SctError(
            f"{name}: no bone: no voxel reaches {settings.threshold_hu:g} HU (the highest is {highest:g}); "
            "give a CT or synthetic CT in HU, or another --bone-hu"
        )
    box = []
    for axis in range(3):
        filled = np.flatnonzero(bone.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(int(filled[0]) - 1, 0), int(filled[-1]) + 2))
    # The difference is taken before the rounding to float32, so that huge values do not swallow the threshold.
    contrast = (volume.data[tuple(box)].astype(np.float64) - settings.threshold_hu).astype(np.float32)
    inside = bone[tuple(box)]
    size = np.clip(np.abs(contrast), SMALLEST_CONTRAST_HU, LARGEST_CONTRAST_HU)
    return np.where(inside, size, -size).astype(np.float32), np.array([part.start for part in box])


def _cleaned(contrast: NDArray[np.float32], voxel_mm3: float, settings: BoneSettings, name: str) -> NDArray[np.float32]:
    """The contrast with specks turned to background and small cavities to bone."""
    from scipy import ndimage

    # Bone hangs together over corners too, background only over faces: the pair under which a closed surface parts
    # inside from outside.
    parts, n_parts = ndimage.label(contrast > 0, structure=np.ones((3, 3, 3)))
    specks = np.bincount(parts.ravel(), minlength=n_parts + 1) * voxel_mm3 < settings.min_part_mm3
    specks[0] = False
    if specks[1:].all():
        raise SctError(
            f"{name}: no bone: {n_parts} parts reach {settings.threshold_hu:g} HU but each is smaller than "
            f"{settings.min_part_mm3:g} mm3; give another --bone-hu or a smaller --min-part-mm3"
        )
    size = np.abs(contrast)
    contrast = np.where(specks[parts], -size, contrast)
    if settings.fill_cavity_mm3 > 0:
        cavities, n_cavities = ndimage.label(contrast < 0)
        small = np.bincount(cavities.ravel(), minlength=n_cavities + 1) * voxel_mm3 <= settings.fill_cavity_mm3
        small[0] = False
        for axis in range(3):
            for end in (0, -1):
                small[np.unique(np.take(cavities, end, axis=axis))] = False  # open to the outside
        contrast = np.where(small[cavities], size, contrast)
    return contrast
