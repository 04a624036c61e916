"""Every plane predicted by every network, on the isotropic grid."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sct.core.errors import SctError
from sct.core.gray import Window, gray_to_hu
from sct.slices.planes import PLANES, restore
from sct.synthesis.ensemble import Ensemble
from sct.synthesis.fusion import FUSIONS, Fused, MemberMean, fuse
from sct.synthesis.isotropic_mr import IsotropicMr
from sct.synthesis.mr_mask import HeadMask
from sct.synthesis.volume_inference import (
    BatchPredictor,
    SquareFrames,
    choose_device,
    native_windows,
    runs_in_bfloat16,
    square_frames,
)
from sct.training.machine import prepared_machine

__all__ = ["Options", "PlanePredictions", "Timings", "predict_planes"]


@dataclass(frozen=True)
class Options:
    """How to predict.

    Attributes:
        planes: Planes to predict.
        fusion: How planes are fused; see `sct.synthesis.fusion`.
        device: `auto`, `cpu`, `cuda`, ...
        precision: `auto`, `float32` or `bfloat16`.
        batch_size: Slices at a time; None for the device's default.
        progress: Show a bar on stderr.

    Raises:
        SctError: A value is unknown.
    """

    planes: tuple[str, ...] = PLANES
    fusion: str = "mean"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        unknown = [plane for plane in self.planes if plane not in PLANES]
        if unknown or not self.planes:
            raise SctError(f"--planes {' '.join(unknown)}: unknown; one of {', '.join(PLANES)}, all")
        if self.fusion not in FUSIONS:
            raise SctError(f"--fusion {self.fusion}: unknown; one of {', '.join(FUSIONS)}")


class Timings:
    """Seconds of each step, in order; steps of one name add up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class PlanePredictions:
    """What each plane predicts, on the isotropic grid.

    Attributes:
        means_hu: Per plane, mean over the networks (X, Y, Z), HU; meaningful where `covered`.
        variances_hu2: Per plane, variance over the networks.
        covered: Per plane, the voxels it predicted.
        n_networks: How many.
        device: Where they ran.
        precision: In what they ran: "float32" or "bfloat16".
    """

    means_hu: dict[str, NDArray[np.float32]]
    variances_hu2: dict[str, NDArray[np.float32]]
    covered: dict[str, NDArray[np.bool_]]
    n_networks: int
    device: str
    precision: str

    def fused(self, fusion: str, window: Window, planes: Sequence[str] | None = None) -> Fused:
        """Fuse all planes, or some of them."""
        names = list(self.means_hu) if planes is None else list(planes)
        return fuse(
            [self.means_hu[name] for name in names],
            [self.covered[name] for name in names],
            fusion,
            window,
            [self.variances_hu2[name] for name in names],
        )


@prepared_machine()
def predict_planes(
    isotropic: IsotropicMr, mask: HeadMask, ensemble: Ensemble, options: Options, timings: Timings | None = None
) -> PlanePredictions:
    """Predict every plane with every network.

    Networks are loaded one at a time, so that memory does not grow with their number.

    Raises:
        SctError: The mask is empty, or a network predicts what is not finite.
    """
    timings = timings or Timings()
    settings, device = ensemble.settings, choose_device(options.device)
    if not any(masks.any() for masks in mask.slices.values()):
        raise SctError("the mask has no slice to predict")
    inputs = _Inputs(isotropic, mask, timings)
    running = {plane: MemberMean() for plane in options.planes}
    rounds = len(ensemble.members) * len(options.planes)
    bar = tqdm(total=rounds, desc="predict", unit="plane", mininterval=1, disable=None if options.progress else True)
    for member in ensemble.members:
        with timings.step("load"):
            predictor = BatchPredictor(member.load(), device, options.precision, options.batch_size)
        for plane in options.planes:
            gray = inputs.predict(plane, predictor)
            if not np.isfinite(gray).all():
                raise SctError(f"{member.name}: predicts values that are not finite; the training diverged")
            with timings.step("predict"):
                running[plane].add(gray_to_hu(gray, settings.window))
            bar.update()
    bar.close()
    return PlanePredictions(
        means_hu={plane: running[plane].mean for plane in options.planes},
        variances_hu2={plane: running[plane].variance for plane in options.planes},
        covered={plane: np.ascontiguousarray(restore(mask.slices[plane], plane)) for plane in options.planes},
        n_networks=len(ensemble.members),
        device=device.type,
        precision="bfloat16" if runs_in_bfloat16(device, options.precision) else "float32",
    )


class _Inputs:
    """What networks see of each plane; made for the first of them, just before it predicts, and kept for the others."""

    def __init__(self, isotropic: IsotropicMr, mask: HeadMask, timings: Timings) -> None:
        self._isotropic, self._mask, self._timings = isotropic, mask, timings
        self._grays: dict[str, NDArray[np.float32]] = {}
        self._frames: dict[str, SquareFrames] = {}

    def predict(self, plane: str, predictor: BatchPredictor) -> NDArray[np.float32]:
        """Gray 0..1 of the volume (X, Y, Z)."""
        settings, masks = self._isotropic.settings, self._mask.slices[plane]
        if settings.frame == "patch":
            gray = self._gray(plane)
            with self._timings.step("predict"):
                return native_windows(gray, masks, plane, settings.size_px, predictor, predictor.batch_size)
        if plane not in self._frames:
            gray = self._gray(plane)
            with self._timings.step("slices"):
                self._frames[plane] = square_frames(gray, masks, plane, settings.size_px)
        with self._timings.step("predict"):
            return self._frames[plane].predict(predictor)

    def _gray(self, plane: str) -> NDArray[np.float32]:
        key = plane if self._isotropic.settings.mr_scaling_unit == "slice" else "volume"
        if key not in self._grays:
            with self._timings.step("slices"):
                self._grays[key] = self._isotropic.gray(plane)
        return self._grays[key]
