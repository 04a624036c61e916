"""Cells of different settings never meet in one table."""

import pytest
import yaml
from study.fabricated import config_of

from sct.core.errors import SctError
from sct.study.cells import Cell
from sct.study.settings import SettingsCheck, read_config


def put(folder, cell, **changes):
    path = cell.folder(folder)
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config_of(cell, **changes)))
    return path


def check(folder, *cells_and_changes):
    checker = SettingsCheck()
    for cell, changes in cells_and_changes:
        checker.add(cell, put(folder, cell, **changes))
    return checker


def cell(model="light_unet", loss="mae", seed=0, fold=0):
    return Cell("phantom", "table", model, loss, seed, fold)


def test_seed_fold_model_and_loss_may_differ_and_so_may_where_it_ran(tmp_path):
    checker = check(
        tmp_path,
        (cell(), {}),
        (cell(seed=3, fold=2), {"runs": "elsewhere"}),
        (cell("vgg_unet"), {}),
        (cell(loss="mse"), {}),
        (cell(fold=1), {"fold": [0, 1]}),
        (cell("threshold", "none"), {}),
    )
    assert checker.config["model"]["name"] == "light_unet"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"optim__lr": 0.01}, "optim.lr: 0.001 before, 0.01 now"),
        ({"prepare__size_px": 32}, "prepare.size_px: 16 before, 32 now"),
        ({"data__fold_seed": 1}, "data.fold_seed: 0 before, 1 now"),
        ({"model__network__widths": [16, 32]}, r"model.network.widths: \(not set\) before, \[16, 32\] now"),
        ({"loss__function": {"alpha": 2}}, r"loss.function.alpha: \(not set\) before, 2 now"),
        ({"trainer__max_epochs": 3}, "trainer.max_epochs: 100 before, 3 now"),
    ],
)
def test_the_first_difference_is_named_with_both_cells(tmp_path, change, line):
    with pytest.raises(SctError, match=line) as caught:
        check(tmp_path, (cell(), {}), (cell(seed=1), {}), (cell(seed=2), change))
    message = str(caught.value)
    assert "seed-2/fold-0/config.yaml" in message
    assert "light_unet/mae/seed-0/fold-0" in message
    assert "\n" not in message


def test_model_settings_are_compared_within_a_model_and_loss_settings_within_a_loss(tmp_path):
    check(tmp_path, (cell(), {"model__network__widths": [16]}), (cell("vgg_unet"), {"model__network__widths": [64]}))
    check(
        tmp_path / "b",
        (cell(loss="mix-1"), {"loss__function": {"alpha": 1}}),
        (cell(loss="mix-2"), {"loss__function": {"alpha": 2}}),
    )
    with pytest.raises(SctError, match=r"loss\.function\.alpha: 1 before, 2 now"):
        check(
            tmp_path / "c",
            (cell(loss="mix"), {"loss__function": {"alpha": 1}}),
            (cell("vgg_unet", "mix"), {"loss__function": {"alpha": 2}}),
        )


def test_a_baseline_does_not_care_for_training_settings_but_for_the_slices(tmp_path):
    check(tmp_path, (cell("threshold", "none"), {"trainer__max_epochs": 1, "loss__name": "mse"}), (cell(), {}))
    with pytest.raises(SctError, match=r"prepare\.size_px"):
        check(tmp_path / "b", (cell("threshold", "none"), {"prepare__size_px": 8}), (cell(), {}))


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "\t{"])
def test_an_unreadable_configuration_is_one_line(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SctError, match=r"config\.yaml: not ") as caught:
        read_config(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SctError, match="not whole"):
        read_config(tmp_path / "absent.yaml")


def test_cells_of_other_slices_never_meet(tmp_path):
    checker = SettingsCheck()
    for one, slices in ((cell(), "a" * 64), (cell(fold=1), "a" * 64), (cell(fold=2), None)):
        checker.add_slices(one, tmp_path, slices)
    elsewhere = Cell("phantom", "institution-1-baseline", "light_unet", "mae", 0, 0)
    checker.add_slices(elsewhere, tmp_path, "b" * 64)
    with pytest.raises(SctError, match="made of other slices than light_unet/mae/seed-0/fold-0"):
        checker.add_slices(cell(seed=1), tmp_path, "b" * 64)
