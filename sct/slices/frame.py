"""The square of a slice that the network sees: where it lies, cutting it out, resizing it, putting it back."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["Frame", "crop", "frame_of", "paste", "resize"]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Frame:
    """A square box in slice pixels; it may reach outside the slice.

    Attributes:
        row: First row, may be negative.
        col: First column, may be negative.
        side: Length of a side in pixels, positive.
    """

    row: int
    col: int
    side: int

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"a frame's side is at least 1 pixel, not {self.side}")


def frame_of(mask: NDArray[np.bool_], side: int | None = None) -> Frame:
    """The smallest square that contains and centres a mask (paper, preparation step 4).

    Where the square and the mask's box differ by an odd number of pixels, the spare one is on the right or below.

    Args:
        mask: Boolean (H, W), not empty.
        side: Side of the square in pixels instead of the smallest one.

    Raises:
        ValueError: The mask is empty.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    cols = np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise ValueError("an empty mask has no frame")
    height, width = int(rows[-1] - rows[0] + 1), int(cols[-1] - cols[0] + 1)
    side = max(height, width) if side is None else side
    return Frame(int(rows[0]) - (side - height) // 2, int(cols[0]) - (side - width) // 2, side)


def crop(image: NDArray[Scalar], frame: Frame, fill: float) -> NDArray[Scalar]:
    """Cut the frame out of a slice.

    Args:
        image: Array (H, W).
        frame: What to cut out.
        fill: Value of the frame's pixels outside the slice.

    Returns:
        New array (side, side) of the image's dtype.
    """
    patch = np.full((frame.side, frame.side), fill, image.dtype)
    inside_patch, inside_image = _overlap(frame, image.shape)
    patch[inside_patch] = image[inside_image]
    return patch


def resize(images: NDArray[np.floating], size_px: int) -> NDArray[np.float32]:
    """Resize square images with antialiased bilinear interpolation (a triangle filter as wide as the larger pixel).

    Args:
        images: Array (..., S, S).
        size_px: New side.

    Returns:
        Array (..., size_px, size_px) float32; the values themselves when the side is size_px already.
    """
    side = images.shape[-1]
    pixels = np.ascontiguousarray(images, np.float32)
    if side == size_px:
        return pixels
    batch = torch.from_numpy(pixels.reshape(1, -1, side, side))
    resized = functional.interpolate(
        batch, size=(size_px, size_px), mode="bilinear", antialias=True, align_corners=False
    )
    return np.asarray(resized.numpy().reshape(*images.shape[:-2], size_px, size_px))


def paste(patch: NDArray[np.floating], frame: Frame, image: NDArray[np.floating]) -> None:
    """Put a resized patch back into its slice, in place: the inverse of `crop` and `resize`.

    Args:
        patch: Array (S, S); resized to the frame's side.
        frame: Where it was cut out.
        image: Array (H, W); keeps its values outside the frame.
    """
    inside_patch, inside_image = _overlap(frame, image.shape)
    image[inside_image] = resize(patch, frame.side)[inside_patch]


def _overlap(frame: Frame, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where frame and slice overlap, in the frame's pixels and in the slice's."""
    in_patch, in_image = [], []
    for start, length in zip((frame.row, frame.col), shape, strict=True):
        first = min(max(start, 0), length)
        last = max(min(start + frame.side, length), first)
        in_patch.append(slice(first - start, last - start))
        in_image.append(slice(first, last))
    return (in_patch[0], in_patch[1]), (in_image[0], in_image[1])
