"""Cells name folders, and the configuration says which runs are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sct.core.errors import SctError
from sct.study.cells import Cell
from sct.study.configuration import first_difference, scientific


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "", "with blank", "a\x00b"])
def test_a_name_never_becomes_a_path(name: str) -> None:
    with pytest.raises(SctError, match=r"cohort\.name"):
        Cell(name, "main", "light_unet", "mae", 0, 0)


def test_only_scientific_keys_count() -> None:
    config = {"seed": 1, "runs": "here", "optim": {"lr": 0.1}, "prepare": {"store": "x", "size_px": 224}}
    moved = {"seed": 1, "runs": "there", "optim": {"lr": 0.1}, "prepare": {"store": "y", "size_px": 224}}
    other = {"seed": 1, "runs": "here", "optim": {"lr": 0.2}, "prepare": {"store": "x", "size_px": 224}}
    assert first_difference(scientific(config), scientific(moved)) is None
    assert first_difference(scientific(config), scientific(other)) == "optim.lr: 0.1 before, 0.2 now"


def test_the_overlap_of_patches_counts_only_where_there_are_patches() -> None:
    whole, patches = ({"prepare": {"frame": frame}} for frame in ("resize", "patch"))
    assert scientific({"prepare": whole["prepare"] | {"patch_overlap": 0.5}}) == scientific(whole)
    assert scientific({"prepare": patches["prepare"] | {"patch_overlap": 0.5}}) != scientific(patches)


def test_of_a_model_and_a_loss_counts_what_is_made() -> None:
    """`++model.encoder_weights=FILE` in a sweep over models gives all of them a key that one alone reads."""
    light = {"name": "light_unet", "network": {"widths": [4]}}
    assert scientific({"model": light | {"encoder_weights": "vgg16.pth"}}) == scientific({"model": light})
    wider = light | {"network": {"widths": [8]}}
    assert first_difference(scientific({"model": light}), scientific({"model": wider})) == (
        "model.network.widths: [4] before, [8] now"
    )


def test_a_key_that_only_one_has_is_a_difference() -> None:
    assert first_difference({"a": 1}, {"a": 1, "b": None}) == "b: (not set) before, None now"


@given(st.dictionaries(st.text("abc", min_size=1), st.integers() | st.text() | st.none()))
def test_a_configuration_equals_itself(config: dict[str, object]) -> None:
    assert first_difference(scientific(config), scientific(dict(config))) is None
