"""From a pair of volumes to 8-bit slices: which ones, with which mask and frame, and their pixels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.gray import Window, hu_to_gray8
from sct.core.volume import AIR_HU
from sct.preparation.pair import IsotropicPair, value_range
from sct.preparation.settings import PrepareSettings
from sct.slices.frame import Frame, crop, frame_of, resize
from sct.slices.mask import body_mask
from sct.slices.planes import PLANES, extract
from sct.slices.tiles import Tile, tiles_of

__all__ = ["REASONS", "Slice", "choose_slices", "cut_slice", "render"]

REASONS = {
    "no tissue": "no body on the CT slice",
    "no MR": "the MR covers less than prepare.min_mask_mm2 of the body, or shows nothing there (prepare.min_mr_share)",
    "small mask": "the body is smaller than prepare.min_mask_mm2",
    "no mask": "the participant's mask is empty here",
}
"""Why slices are left out."""

_BLOCK = 16  # slices that are read together: 16 float32 are one cache line of the slowest axis
_GOLDEN = 0.6180339887498949  # its multiples fill 0..1 evenly, however many there are


@dataclass(frozen=True)
class Slice:
    """A slice with usable content, or with `prepare.frame=patch` a crop of one.

    Attributes:
        plane: Name of the plane.
        index: Number of the slice in the plane's stack.
        frame: Square around the mask, or where the crop lies.
        mask: (side, side) bool, the mask within the frame.
        counts: (side, side) bool, the mask's pixels that count here and in no other crop of the slice.
        mr_range: MR values that become gray 0 and 255.
    """

    plane: str
    index: int
    frame: Frame
    mask: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    mr_range: tuple[float, float]


def choose_slices(pair: IsotropicPair, settings: PrepareSettings) -> tuple[list[Slice], Counter[tuple[str, str]]]:
    """Find each slice's mask and frame, or the frames of its crops.

    The mask is the convex hull of the CT's largest region (or the participant's own mask) within the MR's field of
    view.

    Returns:
        The usable slices (or their crops), plane by plane in order, and how many slices were left out by (plane,
        reason); reasons `REASONS`.
    """
    chosen: list[Slice] = []
    left_out: Counter[tuple[str, str]] = Counter()
    for plane in PLANES:
        n_slices = len(extract(pair.ct_hu, plane))
        for first in range(0, n_slices, _BLOCK):
            span = slice(first, min(first + _BLOCK, n_slices))
            mr, seen = _stack(pair.mr, plane, span), _stack(pair.field_of_view, plane, span)
            if pair.mask is None:
                bodies = [body_mask(ct_slice, settings.mask_clip_hu) for ct_slice in _stack(pair.ct_hu, plane, span)]
            else:
                bodies = list(_stack(pair.mask, plane, span))
            for k, body in enumerate(bodies):
                mr_range = _slice_range(mr[k], seen[k], pair, settings)
                reason = _why_not(mr[k], body, seen[k], mr_range, pair.mr_signal_level, settings)
                if reason is None:
                    mask = body & seen[k]
                    chosen += [
                        Slice(plane, first + k, tile.frame, crop(mask, tile.frame, 0), tile.counts, mr_range)
                        for tile in cut_slice(mask, first + k, settings)
                    ]
                else:
                    left_out[plane, reason] += 1
    return chosen, left_out


def cut_slice(mask: NDArray[np.bool_], index: int, settings: PrepareSettings) -> list[Tile]:
    """Where a slice is cut: one square around the mask, or with `frame=patch` crops of size_px native pixels.

    Args:
        mask: Boolean (H, W), not empty.
        index: Number of the slice in its plane; crops lie elsewhere in the next one.
        settings: Frame, size, overlap.
    """
    if settings.frame == "resize":
        frame = frame_of(mask)
        return [Tile(frame, crop(mask, frame, 0))]
    return tiles_of(mask, settings.size_px, settings.patch_overlap, index * _GOLDEN % 1)


def render(pair: IsotropicPair, slices: Sequence[Slice], settings: PrepareSettings) -> Iterator[NDArray[np.uint8]]:
    """Pixels of slices: masked, cut out, resized in floating point, windowed, rounded once.

    Args:
        pair: The volumes.
        slices: Plane by plane, indices ascending, as `choose_slices` gives them.
        settings: Size, window.

    Yields:
        Arrays (3, k, size_px, size_px), channels MR, CT, mask (0 or 255: the pixels that count), in the order of
        `slices`.
    """
    done = 0
    while done < len(slices):
        plane, first = slices[done].plane, slices[done].index
        block = [one for one in slices[done : done + _BLOCK] if one.plane == plane and one.index < first + _BLOCK]
        span = slice(first, block[-1].index + 1)
        mr, ct_hu = _stack(pair.mr, plane, span), _stack(pair.ct_hu, plane, span)
        patches = [_patch(mr[one.index - first], ct_hu[one.index - first], one, settings.window) for one in block]
        yield _to_gray8(_resized(patches, settings.size_px), settings.window)
        done += len(block)


def _stack(volume: NDArray[Any], plane: str, span: slice) -> NDArray[Any]:
    return np.ascontiguousarray(extract(volume, plane)[span])


def _slice_range(
    mr: NDArray[np.float32], seen: NDArray[np.bool_], pair: IsotropicPair, settings: PrepareSettings
) -> tuple[float, float]:
    if settings.mr_scaling_unit == "volume" or not seen.any():
        return pair.mr_range
    return value_range(mr[seen], settings)


def _why_not(
    mr: NDArray[np.float32],
    body: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    mr_range: tuple[float, float],
    mr_signal_level: float,
    settings: PrepareSettings,
) -> str | None:
    """The first of `REASONS` that holds; None for a usable slice."""
    least_px = max(settings.min_mask_mm2 / settings.spacing_mm**2, 1)
    n_body = int(np.count_nonzero(body))
    if n_body == 0:
        return "no tissue" if settings.mask == "otsu" else "no mask"
    if n_body < least_px:
        return "small mask"
    mask = body & seen
    if np.count_nonzero(mask) < least_px or not mr_range[0] < mr_range[1]:
        return "no MR"
    values = mr[mask]
    if values.min() == values.max() or np.mean(values > mr_signal_level) < settings.min_mr_share:
        return "no MR"
    return None


def _patch(mr: NDArray[np.float32], ct_hu: NDArray[np.float32], one: Slice, window: Window) -> NDArray[np.float32]:
    """Channels MR (0..255, not rounded), CT (HU), what counts of the mask (0, 1) in the frame: (3, side, side)."""
    low, high = one.mr_range
    patch = np.empty((3, *one.mask.shape), np.float32)
    np.clip((crop(mr, one.frame, low) - np.float32(low)) * np.float32(255.0 / (high - low)), 0.0, 255.0, out=patch[0])
    patch[0] *= one.mask
    patch[1] = np.where(one.mask, crop(ct_hu, one.frame, AIR_HU), np.float32(window.lowest_hu))
    patch[2] = one.counts
    return patch


def _resized(patches: Sequence[NDArray[np.float32]], size_px: int) -> NDArray[np.float32]:
    """(3, k, size_px, size_px); patches of equal side are resized together."""
    images = np.empty((3, len(patches), size_px, size_px), np.float32)
    for side in sorted({patch.shape[-1] for patch in patches}):
        same = [k for k, patch in enumerate(patches) if patch.shape[-1] == side]
        images[:, same] = resize(np.stack([patches[k] for k in same], axis=1), size_px)
    return images


def _to_gray8(images: NDArray[np.float32], window: Window) -> NDArray[np.uint8]:
    gray = np.empty(images.shape, np.uint8)
    gray[0] = np.rint(np.clip(images[0], 0.0, 255.0))
    gray[1] = hu_to_gray8(images[1], window)
    gray[2] = np.where(images[2] >= 0.5, 255, 0)
    return gray
