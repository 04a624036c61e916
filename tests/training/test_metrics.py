"""The torchmetrics classes against torchmetrics' own, scipy and numpy."""

import numpy as np
import pytest
import torch
from scipy import stats
from torchmetrics.classification import BinaryF1Score, BinaryPrecision, BinaryRecall

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.gray import Window
from sct.core.pixel_sums import SumsLayout
from sct.training.metrics import BoneOverlap, HuErrors, PixelSums


def images(n=6, size=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(n, 1, size, size, generator=generator)
    noise = torch.randn(n, 1, size, size, generator=generator)
    return (target + 0.2 * noise).clamp(0, 1), target


def test_bone_overlap_equals_torchmetrics_per_threshold():
    prediction, target = images()
    metric = BoneOverlap(thresholds=[0.3, 0.55, 0.9])
    for k in (0, 2, 4):
        metric.update(prediction[k : k + 2], target[k : k + 2])
    found = metric.compute()
    for k, t in enumerate((0.3, 0.55, 0.9)):
        truth = (target >= t).int()
        for name, peer in (
            ("bone_precision", BinaryPrecision(t)),
            ("bone_recall", BinaryRecall(t)),
            ("bone_dice", BinaryF1Score(t)),
        ):
            assert float(found[f"{name}_curve"][k]) == pytest.approx(float(peer(prediction, truth)), abs=2e-4)
    assert float(found["bone_dice"]) == pytest.approx(float(found["bone_dice_curve"].mean()))


def test_bone_overlap_of_nothing_is_nan():
    metric = BoneOverlap(["0.5"])
    metric.update(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4))
    assert all(value.isnan().all() for value in metric.compute().values())


def test_hu_errors_equal_scipy():
    prediction, target = images(2)
    mask = torch.rand(prediction.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    metric = HuErrors(Window(0.0, 1000.0))
    metric.update(prediction[:1], target[:1], mask[:1])
    metric.update(prediction[1:], target[1:], mask[1:])
    found = {name: float(value) for name, value in metric.compute().items()}
    for prefix, inside in (("", torch.ones_like(mask)), ("mask_", mask)):
        p, t = prediction[inside].double().numpy(), target[inside].double().numpy()
        # Both images are rounded to 16 bits: 1000/65535 HU apart at most.
        assert found[f"{prefix}mae_hu"] == pytest.approx(np.abs(p - t).mean() * 1000, abs=0.01)
        assert found[f"{prefix}mse_hu2"] == pytest.approx(((p - t) ** 2).mean() * 1e6, rel=1e-4)
        assert found[f"{prefix}pearson_r"] == pytest.approx(stats.pearsonr(p, t).statistic, abs=1e-6)


def test_rows_are_added_where_they_belong():
    prediction, target = images()
    layout = SumsLayout()
    metric = PixelSums(3)
    rows = torch.tensor([2, 0, 2, 2, 0, 2])
    metric.update(prediction[:4], target[:4], rows=rows[:4])
    metric.update(prediction[4:], target[4:], rows=rows[4:])
    sums = layout.slice_sums(prediction, target, torch.ones_like(target))
    expected = torch.stack([sums[rows == row].sum(0) for row in range(3)])
    assert torch.equal(metric.compute(), expected)
    metric.reset()
    assert not metric.compute().any()


def test_merging_processes_is_addition():
    prediction, target = images()
    whole, one, other = PixelSums(), PixelSums(), PixelSums()
    whole.update(prediction, target)
    one.update(prediction[:1], target[:1])
    other.update(prediction[1:], target[1:])
    reduced = {
        name: one._reductions[name](torch.stack([getattr(one, name), getattr(other, name)])) for name in ("sums",)
    }
    assert torch.equal(reduced["sums"], whole.compute())


@pytest.mark.parametrize("make", [PixelSums, HuErrors, BoneOverlap])
def test_a_prediction_that_is_not_finite_is_told(make):
    metric = make()
    prediction, target = images(1)
    prediction[0, 0, 0, :3] = float("nan")
    metric.update(prediction, target)
    with pytest.raises(SctError, match="3 predicted pixels"):
        metric.compute()


def test_a_row_that_may_have_overflowed_is_told():
    metric = PixelSums()
    metric.sums[0, metric.layout.columns.index("frame_n")] = 2**31
    metric._update_count = 1
    with pytest.raises(ValueError, match="overflow"):
        metric.compute()


@pytest.mark.parametrize("add", ["update", "forward"])
def test_hu_errors_of_more_pixels_than_an_int64_sum_of_squares_holds(add):
    """10 batches that each fill an int64 nearly; half of the pixels err by the whole window."""
    metric, n = HuErrors(Window(0.0, 1000.0)), 2**31 - 2
    columns = metric.layout.columns
    batch = dict.fromkeys(columns, 0) | {"n_slices": 1}
    for scope in ("frame", "mask"):
        batch |= {f"{scope}_n": n, f"{scope}_y": n * 65535, f"{scope}_yy": n * 65535**2}
        batch |= {f"{scope}_{name}": n // 2 * 65535 for name in ("abs", "x")}
        batch |= {f"{scope}_{name}": n // 2 * 65535**2 for name in ("sq", "xx", "xy")}
    row = torch.tensor([[batch[name] for name in columns]])
    metric.layout = Fixed(metric.layout, row)
    for _ in range(10):
        getattr(metric, add)(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    found = metric.compute()
    assert float(found["mae_hu"]) == pytest.approx(500)
    assert float(found["mask_mse_hu2"]) == pytest.approx(500_000)


class Fixed:
    """A layout whose every batch has given sums."""

    def __init__(self, layout, row):
        self.columns, self.window, self._row = layout.columns, layout.window, row

    def slice_sums(self, *images):
        return self._row.clone()


def test_metrics_pickle_and_agree_with_figures():
    import pickle

    prediction, target = images(2)
    metric = pickle.loads(pickle.dumps(HuErrors()))
    metric.update(prediction, target)
    sums = SumsLayout().slice_sums(prediction, target, torch.ones_like(target)).sum(0).tolist()
    found = figures(dict(zip(SumsLayout().columns, sums, strict=True)))
    assert float(metric.compute()["mae_hu"]) == found["mae_hu"]
