"""Batches, windows and devices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_heads import Smoothing, Square

from sct.core.errors import SctError
from sct.models.light_unet import LightUNet
from sct.slices.planes import PLANES, extract
from sct.synthesis.volume_inference import BatchPredictor, choose_device, native_windows, square_frames

CPU = torch.device("cpu")
rng = np.random.default_rng(0)
GRAY = rng.random((20, 22, 24)).astype(np.float32)


def random_masks(plane):
    masks = np.zeros(extract(GRAY, plane).shape, bool)
    masks[2:-3, 4:16, 3:18] = True
    return masks


def test_batches_do_not_change_predictions():
    torch.manual_seed(0)
    images = rng.integers(0, 256, (7, 32, 32), dtype=np.uint8)
    network = LightUNet((4, 8)).eval()
    one = BatchPredictor(network, CPU, "float32", 1).stack(images)
    assert np.allclose(one, BatchPredictor(network, CPU, "float32", 3).stack(images), atol=1e-6)
    with torch.inference_mode():
        plain = network(torch.from_numpy(images)[:, None] / 255.0)[:, 0].numpy()
    assert np.allclose(one, plain, atol=1e-6)


def test_bfloat16_stays_within_a_gray_level():
    torch.manual_seed(0)
    images = rng.integers(0, 256, (4, 32, 32), dtype=np.uint8)
    network = LightUNet((4, 8))
    difference = BatchPredictor(network, CPU, "bfloat16").stack(images) - BatchPredictor(network, CPU, "float32").stack(
        images
    )
    assert np.abs(difference).max() < 1 / 255


def test_a_batch_that_does_not_fit_is_halved():
    class Hungry(torch.nn.Module):
        def forward(self, x):
            if len(x) > 2:
                raise torch.OutOfMemoryError
            return x

    images = rng.integers(0, 256, (9, 16, 16), dtype=np.uint8)
    predictor = BatchPredictor(Hungry(), CPU, "float32", 8)
    assert np.allclose(predictor.stack(images), images / 255.0)
    assert predictor.batch_size == 2


@pytest.mark.parametrize("plane", PLANES)
def test_frames_of_the_networks_size_go_through_unchanged(plane):
    masks = random_masks(plane)
    frames = square_frames(GRAY, masks, plane, 15)  # the masks are 12 x 15
    predicted = frames.predict(BatchPredictor(torch.nn.Identity(), CPU, "float32"))
    inside = np.zeros(masks.shape, bool)
    inside[masks] = True
    assert np.allclose(extract(predicted, plane)[inside], np.rint(extract(GRAY, plane)[inside] * 255) / 255, atol=1e-6)
    assert frames.indices == list(range(2, len(masks) - 3))


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("size_px", [8, 16, 48])
def test_windows_equal_plain_inference_for_a_pointwise_network(plane, size_px):
    masks = random_masks(plane)
    predictor = BatchPredictor(Square(), CPU, "float32")
    predicted = extract(native_windows(GRAY, masks, plane, size_px, predictor, 4), plane)
    plain = (np.rint(extract(GRAY, plane) * 255) / 255) ** 2
    assert np.allclose(predicted[masks], plain[masks], atol=1e-5)


@given(
    shape=st.tuples(*[st.integers(9, 40)] * 3),
    size_px=st.sampled_from([8, 16, 24]),
    corner=st.tuples(*[st.floats(0, 0.4)] * 2),
    constant=st.floats(0, 1),
)
@settings(max_examples=25)
def test_windows_leave_no_seams(shape, size_px, corner, constant):
    """Whatever the windows: the identity gives the MR back, a constant network its constant."""

    class Constant(torch.nn.Module):
        def forward(self, x):
            return torch.full_like(x, constant)

    gray = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32) / 255
    masks = np.zeros(extract(gray, "coronal").shape, bool)
    masks[:, int(corner[0] * masks.shape[1]) : -1, int(corner[1] * masks.shape[2]) :] = True
    for network, expected in ((torch.nn.Identity(), extract(gray, "coronal")[masks]), (Constant(), constant)):
        predicted = native_windows(gray, masks, "coronal", size_px, BatchPredictor(network, CPU, "float32"), 4)
        assert np.abs(extract(predicted, "coronal")[masks] - expected).max() < 1e-6


def test_windows_of_a_network_that_looks_around_are_the_whole_picture():
    """Each window's edge sees zeros beside it; blending hides that within the picture."""
    whole = torch.nn.functional.interpolate(torch.from_numpy(GRAY)[None, None], size=(6, 70, 80), mode="trilinear")
    gray = np.ascontiguousarray(whole[0, 0].numpy().transpose(2, 1, 0))
    masks = np.ones(extract(gray, "axial").shape, bool)
    predicted = extract(native_windows(gray, masks, "axial", 32, BatchPredictor(Smoothing(), CPU, "float32")), "axial")
    images = torch.from_numpy(np.rint(extract(gray, "axial") * 255) / 255).float()[:, None]
    with torch.inference_mode():
        expected = Smoothing()(images)[:, 0].numpy()
    assert np.abs(predicted - expected)[:, 1:-1, 1:-1].max() < 0.5 / 255


def test_one_window_over_all_is_the_plain_network():
    masks = np.ones(extract(GRAY, "axial").shape, bool)
    network = Smoothing()
    predicted = extract(native_windows(GRAY, masks, "axial", 22, BatchPredictor(network, CPU, "float32"), 4), "axial")
    images = torch.from_numpy(np.rint(extract(GRAY, "axial") * 255) / 255).float()[:, None]
    padded = torch.nn.functional.pad(images, (1, 1))  # 20 columns in a window of 22, centred
    with torch.inference_mode():
        assert np.allclose(predicted, network(padded)[:, 0, :, 1:-1].numpy(), atol=1e-5)


def test_devices_and_precisions_are_named_when_wrong():
    assert choose_device("cpu") == CPU
    for name in ("cpuu", "cuda:77"):
        with pytest.raises(SctError, match="--device"):
            choose_device(name)
    with pytest.raises(SctError, match="--precision"):
        BatchPredictor(Square(), CPU, "half")
