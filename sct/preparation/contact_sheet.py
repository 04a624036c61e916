"""One picture per participant to look at before training: do MR and CT fit, and is the mask where the head is?"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sct.core.files import atomic_path
from sct.core.gray import BONE_FROM_HU, Window, hu_to_gray8
from sct.preparation.store import StoredParticipant
from sct.slices.planes import PLANES

__all__ = ["contact_sheet", "write_contact_sheet"]

_TILE_PX = 128
_COLUMNS = 8
_HEADING_PX = 18
_MASK_COLOUR = (0, 200, 255)
_BONE_COLOUR = (255, 150, 0)
_SQUARES = 4  # of the checkerboard, along a side


def write_contact_sheet(participant: StoredParticipant, path: Path) -> None:
    """Write the picture as PNG, atomically.

    Raises:
        SctError: The file cannot be written.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(contact_sheet(participant))
    columns = participant.columns
    about = [columns[key] for key in ("technique", "mr_vendor", "age", "indication") if key in columns]
    left_out = ", ".join(f"{n} {reason}" for reason, n in participant.left_out_reasons.items() if n)
    text = (
        f"{participant.participant_id}   {' '.join(about)}   {participant.n_slices} slices, left out: {left_out or 0}"
    )
    legend = "   MR with CT bone (orange), CT with mask (blue)" + (", checkerboard" if participant.registration else "")
    # the built-in font knows Latin letters only
    ImageDraw.Draw(image).text((4, 3), (text + legend).encode("ascii", "replace").decode(), fill=(255, 255, 255))
    with atomic_path(path) as temporary:
        image.save(temporary, format="PNG")


def contact_sheet(participant: StoredParticipant) -> NDArray[np.uint8]:
    """Rows per plane: MR with the outline of the CT's bone, CT with the mask's outline; a checkerboard if registered.

    Args:
        participant: Any number of slices; a plane without slices stays black.

    Returns:
        Array (height, width, 3), RGB.
    """
    rows_per_plane = 3 if participant.registration else 2
    sheet = np.zeros((_HEADING_PX + len(PLANES) * rows_per_plane * _TILE_PX, _COLUMNS * _TILE_PX, 3), np.uint8)
    window = Window(**participant.settings["window"])
    bone_level = int(hu_to_gray8(BONE_FROM_HU, window))
    for p, plane in enumerate(PLANES):
        entries = participant.in_plane(plane)
        if not entries.size:
            continue
        # evenly spaced, the middles of equal parts
        picked = entries[((np.arange(_COLUMNS) + 0.5) / _COLUMNS * entries.size).astype(int)]
        for column, entry in enumerate(picked):
            mr, ct, mask = (_tile(channel) for channel in participant.data[:, entry])
            tiles = [
                _outlined(mr, (ct >= bone_level) & (mask > 127), _BONE_COLOUR),
                _outlined(ct, mask > 127, _MASK_COLOUR),
                _gray(_checkerboard(mr, ct)),
            ]
            for row, tile in enumerate(tiles[:rows_per_plane]):
                top = _HEADING_PX + (p * rows_per_plane + row) * _TILE_PX
                sheet[top : top + _TILE_PX, column * _TILE_PX : (column + 1) * _TILE_PX] = tile
    return sheet


def _tile(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    resized = Image.fromarray(np.ascontiguousarray(image)).resize((_TILE_PX, _TILE_PX), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def _gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image[..., None], 3, axis=-1)


def _outlined(image: NDArray[np.uint8], region: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    tile = _gray(image)
    tile[region & ~ndimage.binary_erosion(region)] = colour
    return tile


def _checkerboard(mr: NDArray[np.uint8], ct: NDArray[np.uint8]) -> NDArray[np.uint8]:
    square = np.arange(_TILE_PX) * _SQUARES // _TILE_PX
    return np.where((square[:, None] + square) % 2 == 0, mr, ct)
