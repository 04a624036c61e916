"""Example slices come back as they went, and damaged files are named."""

import io

import numpy as np
import pytest

from sct.core.errors import SctError
from sct.study.examples import Examples, read_examples, write_examples


def make(k=3, size=8):
    images = np.random.default_rng(0).integers(0, 256, (3, k, size, size), dtype=np.uint8)
    return Examples(
        *images, ("sub-ä", "b", "c")[:k], ("axial", "coronal", "sagittal")[:k], (4, 70, 0)[:k], (500.0, 2000.0)
    )


def test_examples_come_back(tmp_path):
    there = make()
    write_examples(tmp_path / "examples.npz", there)
    back = read_examples(tmp_path / "examples.npz")
    for name in ("mr", "ct", "sct"):
        np.testing.assert_array_equal(getattr(back, name), getattr(there, name))
    assert back.keys() == there.keys() == [("sub-ä", "axial", 4), ("b", "coronal", 70), ("c", "sagittal", 0)]
    assert back.window_hu == (500.0, 2000.0)


def test_no_examples_are_examples_too(tmp_path):
    write_examples(tmp_path / "examples.npz", make(k=0))
    assert read_examples(tmp_path / "examples.npz").keys() == []


def test_every_truncation_is_one_line_that_names_the_file(tmp_path):
    path = tmp_path / "examples.npz"
    write_examples(path, make())
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SctError, match=r"examples\.npz: not readable") as caught:
            read_examples(path)
        assert "\n" not in str(caught.value)


def test_pickled_objects_and_other_archives_are_refused(tmp_path):
    path = tmp_path / "examples.npz"
    for arrays in ({"mr": np.array([{"code": 1}], dtype=object)}, {"other": np.zeros(3)}):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        path.write_bytes(buffer.getvalue())
        with pytest.raises(SctError, match=r"examples\.npz"):
            read_examples(path)
    with pytest.raises(SctError, match="no such file"):
        read_examples(tmp_path / "absent.npz")


def test_shapes_and_types_must_agree():
    good = make()
    with pytest.raises(ValueError, match="8-bit"):
        Examples(
            good.mr, good.ct, good.sct.astype(float), good.participant_ids, good.planes, good.slice_indices, (500, 2000)
        )
    with pytest.raises(ValueError, match="one shape"):
        Examples(good.mr[:2], good.ct, good.sct, good.participant_ids, good.planes, good.slice_indices, (500, 2000))
    with pytest.raises(ValueError, match="3 members"):
        Examples(good.mr, good.ct, good.sct, good.participant_ids, good.planes[:1], good.slice_indices, (500, 2000))
