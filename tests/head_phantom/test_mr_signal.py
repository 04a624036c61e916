import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from sct.head_phantom.grid import Grid
from sct.head_phantom.mr_scan import MrProtocol, dephasing, field_shift_hz, scan_mr
from sct.head_phantom.mr_signal import (
    Sequence,
    add_rician_noise,
    draw_sequence,
    spoiled_gradient_echo,
    tissue_signals,
)
from sct.head_phantom.tissue import Tissue, draw_tissue_values


def signal(flip_deg, t1_ms=900.0, tr_ms=7.0, te_ms=0.0):
    ones = np.ones(1, dtype=np.float32)
    return float(spoiled_gradient_echo(ones, t1_ms * ones, 40 * ones, te_ms=te_ms, tr_ms=tr_ms, flip_deg=flip_deg)[0])


@pytest.mark.parametrize(("t1_ms", "tr_ms"), [(300.0, 2.0), (900.0, 7.0), (4000.0, 9.0)])
def test_the_signal_is_greatest_at_the_ernst_angle(t1_ms, tr_ms):
    best = minimize_scalar(lambda a: -signal(a, t1_ms, tr_ms), bounds=(0.1, 60), method="bounded").x
    assert best == pytest.approx(np.rad2deg(np.arccos(np.exp(-tr_ms / t1_ms))), rel=1e-3)
    e1 = np.exp(-tr_ms / t1_ms)
    assert signal(best, t1_ms, tr_ms) == pytest.approx(np.sqrt((1 - e1) / (1 + e1)), rel=1e-5)


def test_a_long_repetition_time_at_90_degrees_leaves_density_and_decay():
    assert signal(90.0, 500.0, 1e5, te_ms=20.0) == pytest.approx(np.exp(-20 / 40), rel=1e-6)


def test_fat_turns_by_its_chemical_shift():
    values = draw_tissue_values(np.random.default_rng(0), np.random.default_rng(1), 20.0)
    values.fat_share[:] = 0.5
    sequence = draw_sequence(np.random.default_rng(0), "GRE", 3.0)
    opposed_ms = 1000 / (2 * 3.4 * 42.577 * 3.0)  # half a turn
    in_phase, opposed = (
        tissue_signals(values, type(sequence)("GRE", 3.0, te, sequence.tr_ms, sequence.flip_deg))
        for te in (2 * opposed_ms, opposed_ms)
    )
    assert np.abs(opposed[Tissue.FAT]) < 1e-6
    assert np.abs(in_phase[Tissue.FAT]) > 1e-3


@pytest.mark.parametrize("field_tesla", [1.5, 3.0])
def test_bone_and_air_are_apart_in_zte_and_near_each_other_in_gre(field_tesla):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = draw_tissue_values(rng, rng, float(rng.uniform(0, 35)))
        shown = {}
        for technique in ("ZTE", "UTE", "GRE"):
            level = np.abs(tissue_signals(values, draw_sequence(rng, technique, field_tesla)))
            assert level[Tissue.AIR] == level[Tissue.OUTSIDE] == 0
            shown[technique] = level[Tissue.CORTICAL] / level[Tissue.MUSCLE]
        assert shown["ZTE"] > 0.1
        assert shown["ZTE"] > 2 * shown["GRE"]
        assert shown["UTE"] > 2 * shown["GRE"]
    assert shown["GRE"] < 0.15


@pytest.mark.parametrize("technique", ["ZTE", "UTE", "GRE"])
def test_echo_times_are_those_of_the_paper(technique):
    low, high = {"ZTE": (0, 0.025), "UTE": (0.05, 0.2), "GRE": (1, 2)}[technique]
    times = [draw_sequence(np.random.default_rng(seed), technique, 3.0).te_ms for seed in range(50)]
    assert low <= min(times) < max(times) <= high


@pytest.mark.parametrize("neighbours", [0.0, 0.3])
@pytest.mark.parametrize("level", [0.0, 1.0, 4.0])
def test_noise_is_rician(level, neighbours):
    sigma = 0.5
    shape = (40, 40, 40)
    real = np.full(shape, 0.6 * level, dtype=np.float32)
    imaginary = np.full(shape, 0.8 * level, dtype=np.float32)
    noisy = add_rician_noise(real, imaginary, sigma, np.random.default_rng(0), neighbours)
    expected = stats.rice(level / sigma, scale=sigma)
    sample = noisy[::4, ::4, ::4].ravel()  # far enough apart to be independent
    assert stats.kstest(sample, expected.cdf).pvalue > 1e-3
    assert noisy.std() == pytest.approx(expected.std(), rel=0.03)
    assert float(real[0, 0, 0]) == pytest.approx(0.6 * level)  # the input is left as it was


def test_a_magnetised_sphere_shifts_its_surroundings_like_a_dipole():
    n, radius = 64, 6.0
    axis = np.arange(n) - n / 2
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    shift = field_shift_hz((r < radius).astype(np.float32), 3.0)
    volume_radius = (3 * (r < radius).sum() / (4 * np.pi)) ** (1 / 3)
    far = 12
    on_axis = shift[n // 2, n // 2, n // 2 + far]
    expected = 42.577 * 3.0 / 3 * (volume_radius / far) ** 3 * 2
    assert on_axis == pytest.approx(expected, rel=0.08)
    across = shift[n // 2 + far, n // 2, n // 2]
    assert across == pytest.approx(-expected / 2, rel=0.2)


def test_dephasing_follows_the_sinc_of_a_linear_gradient():
    shift = np.broadcast_to(np.arange(20, dtype=np.float32)[:, None, None] * 50.0, (20, 4, 4))
    left = dephasing(np.ascontiguousarray(shift), 1.0, 2.0, 3.0)
    assert left == pytest.approx(abs(np.sinc(50.0 * 2.0 * 0.003)), rel=1e-4)


def scanned_ball(technique, te_ms, ppm, shell_ppm=-1.5, radius_mm=8.0):
    """Magnitude around a ball without signal in a 2 mm shell of weak signal (bone), and the distances from its centre.

    The scanner adds nothing of its own: no noise, no shading, no blur.
    """
    n = 56
    grid = Grid((0.5 - n / 2,) * 3, 1.0, (n,) * 3)
    axis = grid.axis_mm(0)
    r = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    signal = np.where(r < radius_mm, 0, np.where(r < radius_mm + 2, 0.1, 1)).astype(np.float32)
    susceptibility = np.where(r < radius_mm, ppm, np.where(r < radius_mm + 2, shell_ppm, 0)).astype(np.float32)
    protocol = MrProtocol(1.0, (50.0,) * 3, (0.0,) * 3, 1.0, (0.0, 0.0), 100.0, 0.0, 0.0, 10000.0, "axial")
    sequence = Sequence(technique, 3.0, te_ms, 5.0, 5.0)
    rng = np.random.default_rng(0)
    image = scan_mr(
        (signal, np.zeros_like(signal)), susceptibility, grid, np.zeros(3), sequence, protocol, rng
    ).to_ras()
    x, y, z = (image.affine[i, 3] + np.arange(image.shape[i]) for i in range(3))
    distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2)
    return image.data / 10000, distance


def test_susceptibility_costs_signal_at_air_and_bone_in_gre_and_hardly_without_echo_time():
    lost = {}
    for technique, te_ms, ppm in (("ZTE", 0.02, 9.4), ("UTE", 0.1, 9.4), ("GRE", 1.0, 9.4), ("GRE", 2.0, 9.4)):
        image, distance = scanned_ball(technique, te_ms, ppm)
        beside, far = image[(distance > 10.5) & (distance < 11.5)], image[(distance > 21) & (distance < 23)]
        assert far == pytest.approx(1, abs=0.02)
        lost[technique, te_ms] = 1 - np.percentile(beside, 5)
    assert max(lost["ZTE", 0.02], lost["UTE", 0.1]) < 0.005
    assert 0.01 < lost["GRE", 1.0] < lost["GRE", 2.0] / 2  # |sinc| falls with the square of the time
    image, distance = scanned_ball("GRE", 2.0, 0.0, 0.0)
    assert image[distance > 10.5] == pytest.approx(1, abs=1e-3)


def test_metal_leaves_a_void_larger_than_itself_in_gre():
    void = {te_ms: int((scanned_ball("GRE", te_ms, 190.0, 0.0, 2.0)[0] < 0.5).sum()) for te_ms in (0.0, 2.0)}
    assert void[0.0] == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.1)  # metal and shell
    assert void[2.0] > 1.5 * void[0.0]
