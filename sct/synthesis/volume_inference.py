"""One network on one volume, plane by plane: slices cut as in training, predicted in batches, put back.

Two ways to show a slice to a network. `SquareFrames` is the paper's: the masked slice cropped to its square and resized
to the network's input. `native_windows` is for networks trained on native-resolution patches: overlapping windows over
the unresized slice, blended by a Gaussian (MONAI's sliding-window inferer).
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sct.core.errors import SctError
from sct.models.folding import without_batch_norm
from sct.slices.frame import Frame, crop, frame_of, paste, resize
from sct.slices.planes import extract, restore

__all__ = ["BatchPredictor", "SquareFrames", "choose_device", "native_windows", "runs_in_bfloat16", "square_frames"]

_CPU_BATCH = 16  # larger batches leave the cache and gain nothing
_CUDA_BATCH = 256  # halved until it fits
_BLEND_SD = 0.125  # standard deviation of the blending weights, as share of a window's side: MONAI's


def choose_device(name: str) -> torch.device:
    """The device of `--device`: `auto` (CUDA when there is one), `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        SctError: The name is no device, or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SctError(f"--device {name}: not available here; auto or cpu always is") from error
    return device


class BatchPredictor:
    """A network ready to predict: on its device, in evaluation mode, in the precision and batches that suit both.

    The weights are laid out channels-last, and run in bfloat16 autocast where the hardware multiplies it faster than
    float32 (CUDA from Ampere on, CPUs with AMX or AVX-512 BF16); the network keeps its last layer in float32.

    Args:
        network: Maps (B, 1, H, W) gray 0..1 to the same; copied.
        device: Where to run.
        precision: `auto`, `float32` or `bfloat16`.
        batch_size: Slices at a time; None for the device's default, halved while it does not fit.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, precision: str = "auto", batch_size: int | None = None
    ) -> None:
        self.device = device
        self.bfloat16 = runs_in_bfloat16(device, precision)
        self.batch_size = batch_size or (_CUDA_BATCH if device.type == "cuda" else _CPU_BATCH)
        folded = without_batch_norm(network)
        self._network = folded.to(device).to(memory_format=torch.channels_last)

    def __call__(self, images: Tensor) -> Tensor:
        """Predict one batch of any size at once.

        Args:
            images: Gray 0..1, float32 (B, 1, H, W).

        Returns:
            Gray 0..1, float32 (B, 1, H, W), on the device, clipped.
        """
        autocast = torch.autocast(self.device.type, torch.bfloat16) if self.bfloat16 else nullcontext()
        with torch.inference_mode(), autocast:
            batch = images.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
            prediction: Tensor = self._network(batch)
        return prediction.float().clamp(0.0, 1.0)

    def stack(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a stack of 8-bit images (n, H, W) in batches.

        Returns:
            Gray 0..1, float32 (n, H, W).
        """
        out = np.empty(images.shape, np.float32)
        start = 0
        while start < len(images):
            part = images[start : start + self.batch_size]
            try:
                # through pixels of 8 bits, the batch crosses to the device four times faster
                batch = torch.from_numpy(part).to(self.device).unsqueeze(1).float().div_(255.0)
                out[start : start + len(part)] = self(batch)[:, 0].cpu().numpy()
            except torch.OutOfMemoryError:
                if self.batch_size == 1:
                    raise
                self.batch_size //= 2
                torch.cuda.empty_cache()
                continue
            start += len(part)
        return out


def runs_in_bfloat16(device: torch.device, precision: str) -> bool:
    """Whether a precision (`auto`, `float32`, `bfloat16`) means bfloat16 autocast on a device.

    Raises:
        SctError: The precision is unknown.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise SctError(f"--precision {precision}: unknown; one of auto, float32, bfloat16")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capabilities = torch.backends.cpu.get_cpu_capability()
        has_amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
        has_avx512 = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        return "AVX512" in capabilities and bool(has_amx or has_avx512)
    return False


@dataclass(frozen=True)
class SquareFrames:
    """The slices of one plane that have content, as the network sees them.

    Attributes:
        images: Array (k, S, S), uint8: masked, cropped, resized, rounded once.
        indices: Slice numbers, k of them.
        frames: Where each was cut out.
        shape: Rows and columns of the plane's slices.
        n_slices: Slices of the plane.
        plane: Its name.
    """

    images: NDArray[np.uint8]
    indices: list[int]
    frames: list[Frame]
    shape: tuple[int, int]
    n_slices: int
    plane: str

    def predict(self, predictor: BatchPredictor) -> NDArray[np.float32]:
        """Gray 0..1 of the volume (X, Y, Z); 0 where no frame lies."""
        predictions = predictor.stack(self.images)
        stack = np.zeros((self.n_slices, *self.shape), np.float32)
        for image, index, frame in zip(predictions, self.indices, self.frames, strict=True):
            paste(image, frame, stack[index])
        return np.clip(restore(stack, self.plane), 0.0, 1.0)


def square_frames(gray: NDArray[np.float32], masks: NDArray[np.bool_], plane: str, size_px: int) -> SquareFrames:
    """Cut a volume's slices as in training: masked, cropped to the mask's square, resized, 8 bits.

    Args:
        gray: MR volume (X, Y, Z), RAS+, isotropic, gray 0..1.
        masks: Boolean (n, rows, cols) of the plane; slices without content are left out.
        plane: One of `PLANES`.
        size_px: The network's input size.
    """
    stack = extract(gray, plane)
    indices = [int(index) for index in np.flatnonzero(masks.any((1, 2)))]
    frames = [frame_of(masks[index]) for index in indices]
    images = np.empty((len(indices), size_px, size_px), np.uint8)
    for image, index, frame in zip(images, indices, frames, strict=True):
        resized = resize(crop(np.where(masks[index], stack[index], np.float32(0)), frame, 0.0), size_px)
        image[:] = np.rint(np.clip(resized, 0.0, 1.0) * 255.0)
    return SquareFrames(images, indices, frames, (stack.shape[1], stack.shape[2]), len(stack), plane)


def native_windows(
    gray: NDArray[np.float32],
    masks: NDArray[np.bool_],
    plane: str,
    size_px: int,
    predictor: Callable[[Tensor], Tensor],
    batch_size: int = _CPU_BATCH,
    overlap: float = 0.5,
) -> NDArray[np.float32]:
    """Predict one plane at native resolution by overlapping windows, blended by a Gaussian.

    Args:
        gray: MR volume (X, Y, Z), RAS+, isotropic, gray 0..1.
        masks: Boolean (n, rows, cols) of the plane.
        plane: One of `PLANES`.
        size_px: Side of a window: the patch of the training.
        predictor: Maps (B, 1, size_px, size_px) to the same.
        batch_size: Windows at a time.
        overlap: Share of a window that its neighbour covers too.

    Returns:
        Gray 0..1 of the volume (X, Y, Z); 0 outside the box of all masks.
    """
    from monai.inferers.utils import sliding_window_inference

    stack = extract(gray, plane)
    out = np.zeros(stack.shape, np.float32)
    if masks.any():
        rows, cols = (np.flatnonzero(masks.any((0, axis))) for axis in (2, 1))
        box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1))
        indices = np.flatnonzero(masks.any((1, 2)))
        for part in np.array_split(indices, max(1, len(indices) // batch_size)):
            masked = np.where(masks[part], stack[part], np.float32(0))[:, *box]
            # as the network learned: 8 bits
            images = torch.from_numpy(np.rint(masked * 255.0).astype(np.float32) / np.float32(255.0)).unsqueeze(1)
            blended = sliding_window_inference(
                images,
                roi_size=(size_px, size_px),
                sw_batch_size=batch_size,
                predictor=predictor,
                overlap=overlap,
                roi_weight_map=_blend_weights(size_px),
                device=torch.device("cpu"),
            )
            # a tuple only from networks with several outputs
            assert isinstance(blended, Tensor)
            for index, image in zip(part, blended[:, 0].numpy(), strict=True):
                out[index][box] = image
    return np.clip(restore(out, plane), 0.0, 1.0)


def _blend_weights(size_px: int) -> Tensor:
    """Weights (1, 1, size_px, size_px) of a window's pixels: a Gaussian around its centre.

    MONAI's own raises the smallest weights to a common floor; near the border of the picture, where all weights are
    small, the edges of the windows then weigh as much as their centres and show.
    """
    distance = (torch.arange(size_px) - (size_px - 1) / 2) / (_BLEND_SD * size_px)
    line = torch.exp(-0.5 * distance**2)
    return (line[:, None] * line)[None, None]
