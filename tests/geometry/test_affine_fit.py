import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sct.core.errors import SctError
from sct.geometry.affine_fit import apply_affine, describe_affine, fit_affine


def points(n, seed=0):
    return np.random.default_rng(seed).uniform(-80, 80, (n, 3))


def a_matrix(seed=0):
    rng = np.random.default_rng(seed)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=rng).as_matrix() @ (np.eye(3) + rng.normal(scale=0.03, size=(3, 3)))
    matrix[:3, 3] = rng.uniform(-200, 200, 3)
    return matrix


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 20))
def test_an_exact_affine_is_found(seed, n):
    spread = np.array([[0, 0, 0], [60, 0, 0], [0, 60, 0], [0, 0, 60.0]])  # never in one plane
    source, matrix = np.vstack([spread, points(n - 4, seed)]), a_matrix(seed)
    fit = fit_affine(source, apply_affine(matrix, source), "points")
    np.testing.assert_allclose(fit.matrix, matrix, atol=1e-6)
    assert fit.rms_mm < 1e-6


def test_leave_one_out_equals_refitting_without_the_point():
    rng = np.random.default_rng(1)
    source = points(9, 1)
    target = apply_affine(a_matrix(1), source) + rng.normal(scale=1.5, size=source.shape)
    fit = fit_affine(source, target, "points")
    for i in range(9):
        rest = np.arange(9) != i
        other = fit_affine(source[rest], target[rest], "points")
        error = np.linalg.norm(apply_affine(other.matrix, source[i : i + 1]) - target[i])
        assert fit.leave_one_out_mm[i] == pytest.approx(error, rel=1e-6)
    residuals = np.linalg.norm(apply_affine(fit.matrix, source) - target, axis=1)
    np.testing.assert_allclose(fit.residuals_mm, residuals)
    assert fit.rms_mm == pytest.approx(np.sqrt(np.mean(residuals**2)))
    assert fit.leave_one_out_rms_mm > fit.rms_mm


def test_the_fit_agrees_with_the_normal_equations():
    rng = np.random.default_rng(2)
    source, target = points(12, 2), points(12, 2) + rng.normal(size=(12, 3))
    design = np.hstack([source, np.ones((12, 1))])
    expected = np.linalg.solve(design.T @ design, design.T @ target).T
    np.testing.assert_allclose(fit_affine(source, target, "points").matrix[:3], expected, atol=1e-9)


def test_four_points_cannot_be_left_out():
    source = np.array([[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50.0]])
    fit = fit_affine(source, source + 3, "points")
    assert np.isnan(fit.leave_one_out_mm).all()
    assert fit.leave_one_out_rms_mm is None
    assert fit.outliers == []


def test_the_misplaced_landmark_is_found():
    rng = np.random.default_rng(3)
    source = points(12, 3)
    target = source + rng.normal(scale=0.6, size=source.shape)
    assert fit_affine(source, target, "points").outliers == []
    target[7] += [0, 18, 0]
    fit = fit_affine(source, target, "points")
    assert fit.outliers == [7]
    assert np.sum(fit.leave_one_out_mm > 4) > 1  # it draws good neighbours along, which must not be blamed
    target[2] -= [9, 9, 0]
    assert fit_affine(source, target, "points").outliers == [7, 2]
    five = np.array([[0, 0, 0], [60, 0, 0], [0, 60, 0], [0, 0, 60], [50, 45, 40.0]])
    assert fit_affine(five, five + 30 * (np.arange(5) == 2)[:, None], "points").outliers == []  # it could be any


def test_too_few_coplanar_and_mirrored_points_are_refused():
    source = points(8)
    with pytest.raises(SctError, match="points: 3 landmarks; at least 4"):
        fit_affine(source[:3], source[:3], "points")
    flat = source * [1, 1, 0.005]
    with pytest.raises(SctError, match="in MR lie in one plane"):
        fit_affine(flat, source, "points")
    with pytest.raises(SctError, match="in CT lie in one plane"):
        fit_affine(source, flat @ Rotation.from_euler("x", 30, degrees=True).as_matrix(), "points")
    with pytest.raises(SctError, match="in MR lie in one plane"):
        fit_affine(np.tile(source[:1], (5, 1)), source[:5], "points")
    with pytest.raises(SctError, match="left and right are swapped"):
        fit_affine(source, source * [-1, 1, 1], "points")


def test_description_of_a_known_affine():
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.radians(25) * np.array([0, 0, 1])).as_matrix() * 1.02
    matrix[:3, 3] = [1, 2, 3]
    told = describe_affine(matrix, np.zeros(3))
    assert told == {"rotation_deg": 25.0, "scales": [1.02, 1.02, 1.02], "shift_of_centre_mm": [1.0, 2.0, 3.0]}
