"""The classical methods on slices whose truth is known in closed form."""

import io

import numpy as np
import pytest
import torch
from torch import Tensor

from sct.baselines import Baseline, JointHistogram, LinearMap, LogInversion, Threshold
from sct.baselines.linear_map import PUBLISHED_LINES
from sct.baselines.tissue import best_edges
from sct.core.errors import SctError

ALL = [LogInversion, Threshold, LinearMap, JointHistogram]
PEAK = 200 / 255
SLOPE_HU, INTERCEPT_HU = -2400.0, 2300.0
AIR, BONE, SOFT = 0, 1, 2


def gray(hu: Tensor) -> Tensor:
    """Gray on 0..1 of HU in the default window, clipped."""
    return ((hu + 500) / 2000).clamp(0, 1)


def batch(seed: int, bone_hu=lambda x: SLOPE_HU * x + INTERCEPT_HU, noise_hu: float = 0.0) -> tuple[Tensor, ...]:
    """Two slices, 32 px: soft tissue at the peak, bone between 0.35 and 0.75 of it, air at 0.1, outside 0."""
    random = np.random.default_rng(seed)
    tissue = np.full((2, 1, 32, 32), SOFT)
    tissue[..., 10:16, 6:26] = BONE
    tissue[..., 20:24, 6:26] = AIR
    outside = np.zeros(tissue.shape, bool)
    outside[..., :4, :] = True
    x = np.select([tissue == AIR, tissue == BONE], [0.1, random.integers(70, 151, tissue.shape) / 200], 1.0)
    hu = np.select([tissue == AIR, tissue == BONE], [-1000, bone_hu(x) + noise_hu * random.normal(size=x.shape)], 42)
    mr, ct = torch.from_numpy(x * PEAK).float(), gray(torch.from_numpy(hu)).float()
    mask = torch.from_numpy(~outside).float()
    return mr * mask, ct * mask, mask


BATCHES = [batch(0), batch(1)]


def fitted(model: Baseline) -> Baseline:
    model.fit(BATCHES)
    return model


def test_linear_map_recovers_the_line() -> None:
    model = fitted(LinearMap())
    assert model.slope_hu.item() == pytest.approx(SLOPE_HU, rel=1e-3)
    assert model.intercept_hu.item() == pytest.approx(INTERCEPT_HU, rel=1e-3)
    mr, ct, _ = batch(7)
    torch.testing.assert_close(model(mr), ct, atol=1e-3, rtol=0)


def test_linear_map_is_numpys_least_squares() -> None:
    batches = [batch(seed, noise_hu=60.0) for seed in range(3)]
    model = LinearMap()
    model.fit(batches)
    x = np.concatenate([(mr / np.float32(PEAK)).numpy().ravel() for mr, _, _ in batches]).astype(float)
    hu = np.concatenate([ct.numpy().ravel() for _, ct, _ in batches]).astype(float) * 2000 - 500
    bone = (hu >= 300) & (x > 0.2) & (x <= 1)
    slope, intercept = np.polyfit(x[bone], hu[bone], 1)
    assert model.slope_hu.item() == pytest.approx(slope, rel=1e-4)
    assert model.intercept_hu.item() == pytest.approx(intercept, rel=1e-4)


@pytest.mark.parametrize("name", ["zte", "petra"])
def test_published_lines_are_taken_as_printed(name: str) -> None:
    assert PUBLISHED_LINES == {"zte": (-2085.0, 2329.0), "petra": (-2929.6, 3274.9)}
    model = fitted(LinearMap(constants=name))
    slope, intercept = PUBLISHED_LINES[name]
    mr, ct, mask = batch(7)
    bone = (ct > gray(torch.tensor(300.0))) & (mask > 0)
    expected = gray(slope * mr[bone] / PEAK + intercept)
    torch.testing.assert_close(model(mr)[bone], expected, atol=1e-5, rtol=0)


def test_log_inversion_recovers_its_slope() -> None:
    batches = [batch(seed, bone_hu=lambda x: 42 - 900 * np.log(x)) for seed in (0, 1)]
    model = LogInversion(bias_correction=False)
    model.fit(batches)
    assert model.slope_hu.item() == pytest.approx(900, rel=1e-3)
    mr, ct, _ = batches[0]
    torch.testing.assert_close(model(mr), ct, atol=1e-3, rtol=0)


def test_soft_tissue_has_42_hu_and_air_is_black() -> None:
    mr, ct, mask = batch(3)
    for model in (LogInversion(), Threshold(), LinearMap()):
        prediction = fitted(model)(mr)
        soft = (ct - gray(torch.tensor(42.0))).abs() < 1e-6
        assert (prediction[soft & (mask > 0)] * 2000 - 500).mean().item() == pytest.approx(42, abs=1e-3)
        assert prediction[mask == 0].abs().max() == 0
        assert prediction[..., 20:24, 6:26].abs().max() == 0


def test_threshold_gives_bone_its_mean() -> None:
    model = fitted(Threshold())
    hu = torch.cat([ct[ct * 2000 - 500 >= 300].double() * 2000 - 500 for _, ct, _ in BATCHES])
    assert model.bone_mean_hu.item() == pytest.approx(hu.mean().item(), rel=1e-5)


def test_two_classes_call_inner_air_bone() -> None:
    mr, _, mask = batch(3)
    prediction = fitted(Threshold(classes=2))(mr)
    assert prediction[..., 20:24, 6:26].min() > 0.4
    assert prediction[mask == 0].abs().max() == 0


def test_joint_histogram_is_the_conditional_mean_and_median() -> None:
    # Soft tissue at the peak, and a dark level whose CT is one of three values: 0.2 (3 of 6), 0.4 (1), 0.8 (2).
    mr = torch.full((1, 1, 12, 12), PEAK)
    mr[..., :6, :] = 50 / 255
    ct = torch.full_like(mr, 100 / 255)
    ct[..., :3, :], ct[..., 3, :], ct[..., 4:6, :] = 51 / 255, 102 / 255, 204 / 255
    for statistic, expected in (("mean", (3 * 51 + 102 + 2 * 204) / 6 / 255), ("median", 51 / 255)):
        model = JointHistogram(statistic=statistic)
        model.fit([(mr, ct, torch.ones_like(mr))])
        prediction = model(mr)
        torch.testing.assert_close(prediction[..., :6, :], torch.full((1, 1, 6, 12), expected))
        torch.testing.assert_close(prediction[..., 6:, :], torch.full((1, 1, 6, 12), 100 / 255))


def test_joint_histogram_has_the_smallest_training_error_of_all() -> None:
    batches = [batch(seed, noise_hu=100.0) for seed in range(2)]

    def error(model: Baseline, power: int) -> float:
        model.fit(batches)
        return float(sum((model(mr) - ct).abs().pow(power).sum() for mr, ct, _ in batches))

    others = [LinearMap(), Threshold(), LogInversion(bias_correction=False)]
    assert error(JointHistogram("mean"), 2) <= min(error(model, 2) for model in others)
    assert error(JointHistogram("median"), 1) <= min(error(model, 1) for model in others) * 1.001


def test_edges_part_separable_tissues_in_the_middle_of_the_gap() -> None:
    counts = torch.zeros(3, 30, dtype=torch.int64)
    counts[0, :5], counts[1, 10:15], counts[2, 20:] = 100, 3, 1000
    air, soft = best_edges(counts)
    assert 5 <= air <= 10
    assert 15 <= soft <= 20
    assert (air, soft) in {(7, 17), (7, 18), (8, 17), (8, 18)}


def test_edges_equal_a_search_by_hand() -> None:
    counts = torch.from_numpy(np.random.default_rng(0).integers(0, 50, (3, 12)))

    def mean_dice(air: int, soft: int) -> float:
        called = np.array([AIR] * air + [BONE] * (soft - air) + [SOFT] * (12 - soft))
        dice = []
        for tissue in range(3):
            hits = counts[tissue, called == tissue].sum().item()
            dice.append(2 * hits / (counts[:, called == tissue].sum() + counts[tissue].sum()).item())
        return float(np.mean(dice))

    best = max(mean_dice(air, soft) for air in range(1, 13) for soft in range(air, 13))
    assert mean_dice(*best_edges(counts)) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("method", ALL)
def test_scanner_scale_does_not_matter(method: type[Baseline]) -> None:
    model = fitted(method())
    mr, _, _ = batch(5)
    torch.testing.assert_close(model(mr * 0.5), model(mr), atol=0.02, rtol=0)


@pytest.mark.parametrize("method", ALL)
def test_fit_is_deterministic_and_a_batch_equals_one_by_one(method: type[Baseline]) -> None:
    first, second = fitted(method()), fitted(method())
    for one, other in zip(first.buffers(), second.buffers(), strict=True):
        assert torch.equal(one, other)
    mr, _, _ = batch(9)
    torch.testing.assert_close(first(mr), torch.cat([first(m) for m in mr.split(1)]))


@pytest.mark.parametrize("method", ALL)
def test_state_dict_holds_everything(method: type[Baseline]) -> None:
    model, file = fitted(method()), io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    rebuilt = method()
    rebuilt.load_state_dict(torch.load(file, weights_only=True))
    mr, _, _ = batch(4)
    assert torch.equal(rebuilt(mr), model(mr))
    assert list(rebuilt.parameters()) == []


@pytest.mark.parametrize("method", ALL)
def test_autocast_changes_nothing(method: type[Baseline]) -> None:
    model = fitted(method())
    mr, _, _ = batch(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model(mr), fitted(method())(mr))
    assert model(mr).dtype == torch.float32
    assert model(mr).min() >= 0
    assert model(mr).max() <= 1


@pytest.mark.parametrize("method", ALL)
def test_a_slice_without_soft_tissue_takes_the_training_peak(method: type[Baseline]) -> None:
    model = fitted(method())
    assert model.training_peak.item() == pytest.approx(PEAK, abs=0.01)
    assert model(torch.zeros(1, 1, 32, 32)).abs().max() < 0.05


@pytest.mark.parametrize("method", ALL)
def test_unfitted_methods_do_not_predict(method: type[Baseline]) -> None:
    with pytest.raises(RuntimeError, match="must be fitted"):
        method()(torch.zeros(1, 1, 32, 32))


@pytest.mark.parametrize("method", ALL)
def test_no_slices_or_black_slices_are_told(method: type[Baseline]) -> None:
    zero = torch.zeros(1, 1, 32, 32)
    for batches in ([], [(zero, zero, zero)]):
        with pytest.raises(SctError, match="soft tissue"):
            method().fit(batches)


@pytest.mark.parametrize("method", [LogInversion, Threshold, LinearMap])
def test_no_bone_is_told(method: type[Baseline]) -> None:
    mr, ct, mask = batch(0)
    with pytest.raises(SctError, match="no bone"):
        method().fit([(mr, ct.clamp(max=0.3), mask)])


def test_an_iterator_is_refused_because_it_is_read_several_times() -> None:
    with pytest.raises(TypeError, match="several times"):
        Threshold().fit(iter(BATCHES))


@pytest.mark.parametrize(
    ("method", "arguments", "key"),
    [
        (LinearMap, {"constants": "ute"}, "model.constants=ute"),
        (Threshold, {"classes": 5}, "model.classes=5"),
        (JointHistogram, {"statistic": "mode"}, "model.statistic=mode"),
    ],
)
def test_wrong_choices_name_their_key(method: type[Baseline], arguments: dict[str, object], key: str) -> None:
    with pytest.raises(SctError, match=key):
        method(**arguments)
