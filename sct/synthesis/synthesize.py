"""MR volume in, synthetic CT with its uncertainty out: the whole way in memory."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.gray import Window, gray_to_hu
from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.slices.planes import PLANES, extract, restore
from sct.synthesis.ensemble import Ensemble
from sct.synthesis.fusion import FUSIONS, Fused, MemberMean, fuse
from sct.synthesis.isotropic_mr import IsotropicMr, isotropic_mr
from sct.synthesis.mr_mask import HeadMask, head_region, mask_from_region, mask_of_everything
from sct.synthesis.volume_inference import BatchPredictor, SquareFrames, choose_device, native_windows, square_frames

__all__ = [
    "AIR_HU",
    "Options",
    "PlanePredictions",
    "Synthesis",
    "Timings",
    "hu_on_grid",
    "inside_on_grid",
    "predict_planes",
    "synthesize",
    "to_grid",
    "within",
]

AIR_HU = -1000.0
"""Outside the head."""


@dataclass(frozen=True)
class Options:
    """How to predict.

    Attributes:
        planes: Planes to predict.
        fusion: How planes are fused; see `sct.synthesis.fusion`.
        device: `auto`, `cpu`, `cuda`, ...
        precision: `auto`, `float32` or `bfloat16`.
        batch_size: Slices at a time; None for the device's default.

    Raises:
        SctError: A value is unknown.
    """

    planes: tuple[str, ...] = PLANES
    fusion: str = "mean"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None

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
    """

    means_hu: dict[str, NDArray[np.float32]]
    variances_hu2: dict[str, NDArray[np.float32]]
    covered: dict[str, NDArray[np.bool_]]
    n_networks: int

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


@dataclass(frozen=True)
class Synthesis:
    """A synthetic CT and how it came about.

    Attributes:
        hu: HU on the MR's own grid, float32; air (-1000 HU) outside the head.
        uncertainty_hu: Standard deviation of all predictions of a voxel on the same grid, float32; 0 outside the head.
        inside: Boolean, same grid: the head.
        isotropic: The MR on the network's grid.
        mask: Where was predicted, on the network's grid.
        predictions: Each plane's prediction, on the network's grid.
        fused: The same fused.
        warnings: One line each.
        timings: Seconds per step.
    """

    hu: Volume
    uncertainty_hu: Volume
    inside: NDArray[np.bool_]
    isotropic: IsotropicMr
    mask: HeadMask
    predictions: PlanePredictions
    fused: Fused
    warnings: list[str] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)


def synthesize(
    mr: Volume,
    ensemble: Ensemble,
    options: Options | None = None,
    mask: str | Volume = "auto",
    name: str = "MR",
    timings: Timings | None = None,
) -> Synthesis:
    """Predict a CT from an MR volume.

    Args:
        mr: Any orientation, spacing and size.
        ensemble: Networks that share their preparation.
        options: Planes, fusion, device, precision.
        mask: `auto` (from the MR), `none` (everything is head), or a volume that is positive in the head, on any grid.
        name: What messages call the MR.
        timings: Where to add the steps' seconds.

    Raises:
        SctError: The MR or the mask cannot be used, or the device is not there.
    """
    options, timings = options or Options(), timings or Timings()
    with timings.step("resample"):
        isotropic = isotropic_mr(mr, ensemble.settings, name)
    with timings.step("mask"):
        head = head_mask(isotropic, mask, options.planes)
    predictions = predict_planes(isotropic, head, ensemble, options, timings)
    with timings.step("fuse"):
        fused = predictions.fused(options.fusion, ensemble.settings.window)
    with timings.step("resample"):
        inside = inside_on_grid(head.inside & fused.covered, isotropic, mr)
        hu = hu_on_grid(fused.hu, fused.covered, inside, isotropic, mr)
        spread = np.where(inside, to_grid(fused.uncertainty_hu, isotropic, mr, 0.0), np.float32(0))
    return Synthesis(
        hu=Volume(hu, mr.affine),
        uncertainty_hu=Volume(spread, mr.affine),
        inside=inside,
        isotropic=isotropic,
        mask=head,
        predictions=predictions,
        fused=fused,
        warnings=_warnings(head, predictions),
        timings=timings,
    )


def head_mask(isotropic: IsotropicMr, mask: str | Volume, planes: Sequence[str]) -> HeadMask:
    """The mask that `--mask` asks for, within the MR's field of view.

    Raises:
        SctError: The mask volume does not overlap the MR, or no head was found.
    """
    settings, seen = isotropic.settings, isotropic.field_of_view
    if mask == "none":
        head = mask_of_everything(_shape(isotropic), planes)
    elif isinstance(mask, Volume):
        region = resample(mask, isotropic.data.shape, isotropic.affine, order=0)[0] > 0
        if not (region & seen).any():
            raise SctError("--mask: the mask volume marks nothing within the MR's field of view")
        head = mask_from_region(region, planes, "file")
    else:
        head = mask_from_region(head_region(isotropic.data, [settings.spacing_mm] * 3), planes)
    return within(head, seen, settings.min_mask_mm2 / settings.spacing_mm**2)


def within(head: HeadMask, seen: NDArray[np.bool_], least_px: float) -> HeadMask:
    """A mask cut to a field of view, without slices too small to be like training.

    Slices with a mask under `least_px` pixels were left out in training; the other planes predict their voxels. With
    one plane only they are kept: a strange prediction of the vertex is better than none.
    """
    slices = {plane: masks & extract(seen, plane) for plane, masks in head.slices.items()}
    if len(slices) > 1:
        slices = {plane: masks & (masks.sum((1, 2)) >= least_px)[:, None, None] for plane, masks in slices.items()}
    return HeadMask(slices, head.inside & seen, head.source)


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
        raise SctError("no head found in the MR; give --mask FILE, or --mask none to predict every slice whole")
    is_patch = settings.frame == "patch"
    grays: dict[str, NDArray[np.float32]] = {}
    frames: dict[str, SquareFrames] = {}
    with timings.step("slices"):
        for plane in options.planes:
            shared = next(iter(grays.values()), None) if settings.mr_scaling_unit == "volume" else None
            grays[plane] = isotropic.gray(plane) if shared is None else shared
            if not is_patch:
                frames[plane] = square_frames(grays[plane], mask.slices[plane], plane, settings.size_px)
    running = {plane: MemberMean() for plane in options.planes}
    for member in ensemble.members:
        with timings.step("load"):
            predictor = BatchPredictor(member.load(), device, options.precision, options.batch_size)
        with timings.step("predict"):
            for plane in options.planes:
                if is_patch:
                    gray = native_windows(
                        grays[plane], mask.slices[plane], plane, settings.size_px, predictor, predictor.batch_size
                    )
                else:
                    gray = frames[plane].predict(predictor)
                if not np.isfinite(gray).all():
                    raise SctError(f"{member.name}: predicts values that are not finite; the training diverged")
                running[plane].add(gray_to_hu(gray, settings.window))
    return PlanePredictions(
        means_hu={plane: running[plane].mean for plane in options.planes},
        variances_hu2={plane: running[plane].variance for plane in options.planes},
        covered={plane: np.ascontiguousarray(restore(mask.slices[plane], plane)) for plane in options.planes},
        n_networks=len(ensemble.members),
    )


def to_grid(data: NDArray[np.float32], isotropic: IsotropicMr, like: Volume, fill: float) -> NDArray[np.float32]:
    """Values on the network's grid -> the grid of another volume, trilinear."""
    return resample(Volume(data, isotropic.affine), like.shape, like.affine, order=1, fill=fill)[0]


def inside_on_grid(inside: NDArray[np.bool_], isotropic: IsotropicMr, like: Volume) -> NDArray[np.bool_]:
    """A mask on the network's grid -> the grid of another volume: at least half."""
    return to_grid(inside.astype(np.float32), isotropic, like, 0.0) >= np.float32(0.5)


def hu_on_grid(
    hu: NDArray[np.float32],
    covered: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    isotropic: IsotropicMr,
    like: Volume,
) -> NDArray[np.float32]:
    """HU on the network's grid -> the grid of another volume, air outside the head.

    At the mask's edge the network's darkest gray stands beside the prediction, as it does in training; -1000 HU there
    would be smeared into the skin.
    """
    lowest = np.float32(isotropic.settings.window.lowest_hu)
    values = to_grid(np.where(covered, hu, lowest), isotropic, like, float(lowest))
    return np.where(inside, values, np.float32(AIR_HU))


def _shape(isotropic: IsotropicMr) -> tuple[int, int, int]:
    x, y, z = isotropic.data.shape
    return x, y, z


def _warnings(head: HeadMask, predictions: PlanePredictions) -> list[str]:
    found = []
    share = float(head.inside.mean())
    if head.source == "auto" and not 0.05 <= share <= 0.95:
        found.append(f"the head mask covers {100 * share:.0f} % of the volume: check it, or give --mask FILE")
    if predictions.n_networks == 1 and len(predictions.means_hu) == 1:
        found.append("one plane and one checkpoint: nothing to disagree, so the uncertainty is 0 everywhere")
    return found
