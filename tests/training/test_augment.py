"""Affine augmentation against flips, rotations and crops made by other libraries."""

from math import cos, radians, sin

import numpy as np
import pytest
import torch
from scipy import ndimage

from sct.training.augment import AugmentSettings, apply_affine, gray_by_pixel, sample_affine

NOTHING = AugmentSettings(0.0, 0.0, 0.0)


def images(n=4, size=33, seed=0):
    """Smooth images, so that interpolation of different libraries agrees."""
    noise = np.random.default_rng(seed).random((n, 2, size, size))
    return torch.from_numpy(ndimage.gaussian_filter(noise, (0, 0, 2, 2))).float()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_identity():
    batch = images()
    theta = sample_affine(4, NOTHING, generator())
    assert torch.equal(theta, torch.eye(2, 3).expand(4, 2, 3))
    torch.testing.assert_close(apply_affine(batch, theta), batch, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [32, 33, 224])
def test_flips_are_exact_on_8_bit_levels(size):
    levels = torch.randint(0, 256, (4, 2, size, size), generator=generator())
    theta = sample_affine(4, AugmentSettings(1.0, 0.0, 0.0), generator())
    flipped = apply_affine(levels / 255, theta) * 255
    torch.testing.assert_close(flipped, levels.flip(-1, -2).float(), rtol=0, atol=0.01)
    assert torch.equal(flipped.round().long(), levels.flip(-1, -2))


def test_a_quarter_turn_is_exact():
    batch = images()
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]).expand(4, 2, 3)
    torch.testing.assert_close(apply_affine(batch, quarter), batch.rot90(1, (-2, -1)), rtol=0, atol=1e-5)


def test_rotation_equals_scipy():
    batch = images(8)
    theta = sample_affine(8, AugmentSettings(0.0, 10.0, 0.0), generator())
    turned = apply_affine(batch, theta)
    for k in range(8):
        angle = np.degrees(np.arctan2(theta[k, 1, 0], theta[k, 0, 0]))
        expected = ndimage.rotate(batch[k].numpy(), angle, axes=(-2, -1), reshape=False, order=1, mode="grid-constant")
        np.testing.assert_allclose(turned[k].numpy(), expected, atol=2e-3)


def test_crop_is_resized_from_its_place():
    """Pixel by pixel: the output samples the crop's square at the centres of its resized pixels."""
    size, batch = 40, images(6, 40)
    theta = sample_affine(6, AugmentSettings(0.0, 0.0, 0.4), generator())
    cropped = apply_affine(batch, theta)
    for k in range(6):
        side = float(theta[k, 0, 0]) * size
        left, top = ((float(theta[k, axis, 2]) + 1 - float(theta[k, 0, 0])) * size / 2 for axis in (0, 1))
        assert 0.6 * size <= side <= size
        assert -1e-4 <= left <= size - side + 1e-4
        assert -1e-4 <= top <= size - side + 1e-4
        centres = (np.arange(size) + 0.5) * side / size - 0.5
        rows, cols = np.meshgrid(centres + top, centres + left, indexing="ij")
        for channel in range(2):
            expected = ndimage.map_coordinates(batch[k, channel].numpy(), [rows, cols], order=1, mode="grid-constant")
            np.testing.assert_allclose(cropped[k, channel].numpy(), expected, atol=1e-4)


def test_composition_is_flip_then_rotation_then_crop():
    settings = AugmentSettings(0.5, 10.0, 0.1)
    theta = sample_affine(64, settings, generator(3)).double()
    draws = torch.rand(64, 6, generator=generator(3), dtype=torch.float64)
    point = torch.tensor([0.3, -0.7], dtype=torch.float64)
    for k in range(64):
        side = 1 - 0.1 * float(draws[k, 3])
        x, y = (side * float(point[a]) + (2 * float(draws[k, 4 + a]) - 1) * (1 - side) for a in (0, 1))
        angle = radians((2 * float(draws[k, 2]) - 1) * 10)
        x, y = cos(angle) * x - sin(angle) * y, sin(angle) * x + cos(angle) * y
        expected = [-x if draws[k, 0] < 0.5 else x, -y if draws[k, 1] < 0.5 else y]
        np.testing.assert_allclose((theta[k, :, :2] @ point + theta[k, :, 2]).numpy(), expected, atol=1e-6)


def test_laws_of_the_draws():
    theta = sample_affine(4000, AugmentSettings(), generator()).double()
    det = torch.linalg.det(theta[:, :, :2])
    side = det.abs().sqrt()
    angle = torch.rad2deg(torch.atan2(theta[:, 1, 0] * theta[:, 1, 1].sign(), theta[:, 1, 1].abs())).abs()
    assert float(side.min()) >= 0.9
    assert float(side.mean()) == pytest.approx(0.95, abs=0.002)
    assert float(angle.max()) <= 10
    assert float(angle.mean()) == pytest.approx(5, abs=0.2)
    for axis in (0, 1):
        assert float((theta[:, axis, axis] < 0).double().mean()) == pytest.approx(0.5, abs=0.03)
    assert float((det < 0).double().mean()) == pytest.approx(0.5, abs=0.03)


def test_batched_equals_one_by_one_and_channels_share_the_map():
    batch, theta = images(5), sample_affine(5, AugmentSettings(), generator())
    together = apply_affine(batch, theta)
    for k in range(5):
        torch.testing.assert_close(apply_affine(batch[k : k + 1], theta[k : k + 1])[0], together[k])
    same = apply_affine(batch[:, :1].expand(-1, 2, -1, -1), theta)
    torch.testing.assert_close(same[:, 0], same[:, 1], rtol=0, atol=0)


@pytest.mark.parametrize("settings", [NOTHING, AugmentSettings(), AugmentSettings(0.5, 180.0, 0.5)])
@pytest.mark.parametrize("size", [32, 33])
def test_pixel_by_pixel_equals_torchs_own_sampling(settings, size):
    levels = torch.randint(0, 256, (9, 2, size, size), dtype=torch.uint8, generator=generator())
    theta = sample_affine(9, settings, generator())
    torch.testing.assert_close(gray_by_pixel(levels, theta), apply_affine(levels / 255, theta), rtol=0, atol=1e-5)


def test_what_comes_from_outside_is_0():
    white = torch.ones(16, 1, 32, 32)
    turned = apply_affine(white, sample_affine(16, AugmentSettings(0.0, 45.0, 0.0), generator()))
    assert float(turned[:, :, 16, 16].min()) == pytest.approx(1)
    assert float(turned[:, :, 0, 0].min()) == 0


@pytest.mark.parametrize(
    "arguments", [{"flip_probability": 1.5}, {"rotation_deg": -1}, {"rotation_deg": float("nan")}, {"crop": 1.0}]
)
def test_senseless_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        AugmentSettings(**arguments)


def test_images_must_be_square():
    with pytest.raises(ValueError, match="square"):
        apply_affine(torch.zeros(1, 1, 16, 32), torch.eye(2, 3)[None])
