"""The gray scale is exact on its levels, close between them, and saturates outside."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sct.core.gray import Window, gray8_to_hu, gray_to_hu, hu_to_gray, hu_to_gray8

WINDOW = Window()


def test_the_papers_window() -> None:
    assert (WINDOW.lowest_hu, WINDOW.highest_hu) == (-500.0, 1500.0)
    assert gray_to_hu(0.4, WINDOW) == pytest.approx(300.0)
    assert gray_to_hu(0.7, WINDOW) == pytest.approx(900.0)


def test_exact_on_all_256_levels() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(hu_to_gray8(gray8_to_hu(levels, WINDOW), WINDOW), levels)


@given(st.floats(-500.0, 1500.0))
def test_within_half_a_level_inside_the_window(hu: float) -> None:
    assert abs(float(gray8_to_hu(hu_to_gray8(hu, WINDOW), WINDOW)) - hu) <= 2000 / 510 + 1e-9


def test_saturates_outside_the_window() -> None:
    assert hu_to_gray8([-1000.0, -501.0, 1501.0, 3071.0], WINDOW).tolist() == [0, 0, 255, 255]


def test_numpy_and_torch_agree_and_invert() -> None:
    gray = np.linspace(0, 1, 11)
    hu = gray_to_hu(gray, WINDOW)
    assert np.allclose(hu, gray_to_hu(torch.tensor(gray), WINDOW).numpy())
    assert np.allclose(hu_to_gray(hu, WINDOW), gray)


def test_a_window_has_a_positive_width() -> None:
    with pytest.raises(ValueError, match="positive"):
        Window(500.0, 0.0)
