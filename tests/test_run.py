"""The main job, from nothing to figures; repeated, interrupted, refused."""

import csv
import json
import os
import shutil
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from doors import TINY, TINY_TRAINING, Doors, same_weights
from full_disk import full_after
from hand_made import GRIDS, write_hand_made_cohort

from sct.core.figures import figures
from sct.core.sums import SumsTable
from sct.preparation.store import SliceStore
from sct.study.examples import read_examples


def test_one_command_from_nothing_to_figures(doors: Doors) -> None:
    answer = doors.run("loss=mix", "fold=all")
    assert answer.code == 0, answer.err
    assert "all 4 folds" in answer.out
    assert {path.name for path in doors.folder.iterdir()} == {"data", "runs"}
    folds = [doors.cell("mix-4.4", fold=k) for k in range(4)]
    tested = []
    for folder in folds:
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        assert names == {
            "config.yaml", "split.json", "metrics.csv", "best.ckpt", "sums.csv", "metrics.json", "versions.json",
            "examples.npz", "figure.png",
        }  # fmt: skip
        split = json.loads((folder / "split.json").read_text())
        assert not set(split["test"]) & (set(split["train"]) | set(split["val"]))
        tested += split["test"]
        rows = list(csv.DictReader((folder / "metrics.csv").open()))
        assert [row["epoch"] for row in rows] == ["0", "1"]
        found = json.loads((folder / "metrics.json").read_text())
        assert found["precision"] in {"32-true", "bf16-mixed"}  # what `auto` came to
        assert found["compiled"] is False
    assert sorted(tested) == ["sub-01", "sub-02", "sub-03", "sub-04"]
    pooled = SumsTable()
    for folder in folds:
        pooled.add(SumsTable.read_csv(folder / "sums.csv"))
    kept = json.loads((folds[0].parent / "metrics.json").read_text())
    assert kept["mae_hu"] == figures(pooled.pooled())["mae_hu"]
    assert kept["n_participants"] == 4
    shown = next(line for line in answer.out.splitlines() if "all 4 folds" in line)
    assert f"{kept['mae_hu']:.1f}" in shown


def test_same_seed_same_figures_and_another_seed_others(tiny: Doors) -> None:
    tiny.run("fold=0")
    first = shutil.move(tiny.folder / "runs", tiny.folder / "first")
    tiny.run("fold=0")
    tiny.run("fold=0", "seed=1")
    before = Path(first) / tiny.cell().relative_to(tiny.folder / "runs")
    assert same_weights(before / "best.ckpt", tiny.cell() / "best.ckpt")
    assert (before / "sums.csv").read_bytes() == (tiny.cell() / "sums.csv").read_bytes()
    assert (before / "sums.csv").read_bytes() != (tiny.cell(seed=1) / "sums.csv").read_bytes()


def test_a_finished_cell_is_not_trained_again(tiny: Doors) -> None:
    tiny.run("fold=0")
    stamp = (tiny.cell() / "best.ckpt").stat().st_mtime_ns
    answer = tiny.run("fold=0")
    assert answer.code == 0
    assert "done before" in answer.err
    assert (tiny.cell() / "best.ckpt").stat().st_mtime_ns == stamp


def test_an_interrupted_run_goes_on_and_ends_in_the_same_weights(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.run("fold=0", "trainer.max_epochs=4")
    whole = Path(shutil.move(tiny.folder / "runs", tiny.folder / "whole")) / tiny.cell().relative_to(
        tiny.folder / "runs"
    )
    from sct.training.task import SynthesisTask

    untouched = SynthesisTask.training_step

    def dying_step(self: SynthesisTask, batch: object, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 1 and batch_idx == 1 and not terminated:
            terminated.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        if self.current_epoch == 2 and batch_idx == 1:
            raise KeyboardInterrupt
        return untouched(self, batch, batch_idx)  # type: ignore[arg-type]

    terminated: list[bool] = []
    monkeypatch.setattr(SynthesisTask, "training_step", dying_step)
    answer = tiny.run("fold=0", "trainer.max_epochs=4")
    assert (answer.code, answer.err.splitlines()[-1][:10]) == (143, "terminated")
    assert not (tiny.cell() / "error.txt").exists()
    assert tiny.run("fold=0", "trainer.max_epochs=4").code == 130
    assert (tiny.cell() / "last.ckpt").exists()
    assert not (tiny.cell() / "metrics.json").exists()
    monkeypatch.setattr(SynthesisTask, "training_step", untouched)
    assert tiny.run("fold=0", "trainer.max_epochs=4").code == 0
    assert same_weights(whole / "best.ckpt", tiny.cell() / "best.ckpt")
    assert (whole / "sums.csv").read_bytes() == (tiny.cell() / "sums.csv").read_bytes()
    assert [row["epoch"] for row in csv.DictReader((tiny.cell() / "metrics.csv").open())] == ["0", "1", "2", "3"]
    assert not (tiny.cell() / "last.ckpt").exists()


def test_a_sweep_makes_a_cell_per_combination_and_a_baseline_once(tiny: Doors) -> None:
    answer = tiny("run", "-m", *_words(), "model=log_inversion", "loss=mae,mse", "seed=0,1", "fold=0")
    assert answer.code == 0, answer.err
    done = sorted((tiny.folder / "runs").rglob("fold-0/metrics.json"))
    assert done == [tiny.cell("none", model="log_inversion") / "metrics.json"]
    fitted = json.loads(done[0].read_text())
    assert (fitted["precision"], fitted["compiled"], fitted["epochs"]) == ("32-true", False, 0)
    unused = ("trainer.max_epochs=7", "data.batch_size=5", "optim.lr=1")
    answer = tiny("run", *_words(), *unused, "model=log_inversion", "fold=0")
    assert answer.code == 0, answer.err
    assert "done before" in answer.err
    answer = tiny("run", "-m", *_words(), "model.widths=[4,8]", "loss=mae,mse", "fold=0", "trainer.max_epochs=1")
    assert answer.code == 0, answer.err
    assert (tiny.cell("mae") / "metrics.json").exists()
    assert (tiny.cell("mse") / "metrics.json").exists()
    assert not (tiny.folder / "multirun.yaml").exists()


def _words() -> list[str]:
    return [*TINY, "data.batch_size=16", "examples=3"]


def test_a_failing_cell_does_not_stop_the_others(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    from sct.training.task import SynthesisTask

    untouched = SynthesisTask.on_test_start

    def failing(self: SynthesisTask) -> None:
        if self.trainer.datamodule.test_slices.participant_ids == failing_ids:  # type: ignore[attr-defined]
            raise RuntimeError("no luck in this fold")
        untouched(self)

    tiny.run("fold=0", "trainer.max_epochs=1")
    failing_ids = tuple(json.loads((tiny.cell() / "split.json").read_text())["test"])
    shutil.rmtree(tiny.folder / "runs")
    monkeypatch.setattr(SynthesisTask, "on_test_start", failing)
    answer = tiny.run("fold=[0,1]", "trainer.max_epochs=1")
    assert answer.code == 1
    assert "error: 1 of 2 cells failed" in answer.err
    assert "no luck in this fold" in answer.err
    assert (tiny.cell(fold=1) / "metrics.json").exists()
    assert (tiny.cell() / "error.txt").read_text().strip().endswith("RuntimeError: no luck in this fold")
    answer = tiny.run("-m", "fold=0,1", "trainer.max_epochs=1")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("error: 1 of 2 cells are not done")
    assert answer.err.splitlines()[-1].endswith("(RuntimeError: no luck in this fold)")
    monkeypatch.setattr(SynthesisTask, "on_test_start", untouched)
    assert tiny.run("fold=[0,1]", "trainer.max_epochs=1").code == 0
    assert not (tiny.cell() / "error.txt").exists()


def test_examples_are_the_test_slices_in_three_planes(tiny: Doors) -> None:
    tiny.run("fold=0", "trainer.max_epochs=1")
    examples = read_examples(tiny.cell() / "examples.npz")
    split = json.loads((tiny.cell() / "split.json").read_text())
    assert set(examples.participant_ids) <= set(split["test"])
    assert set(examples.planes) == {"axial", "coronal", "sagittal"}
    assert np.ptp(examples.sct) > 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("model=light_unt", "did you mean light_unet"),
        ("loss=mea", "did you mean mse or mae"),
        ("cohort=phantm", "did you mean phantom"),
        ("model=null", "model=null: no such choice; there are histogram, light_unet"),
        ("loss=[mae,mse]", "`-m loss=mae,mse` runs one after the other"),
        ("model=[light_unet]", "model=[light_unet]: one choice at a time"),
        ("cohort=[phantom,phantom39]", "cohort=[phantom,phantom39]: one choice at a time"),
        ("experiment=[table,alpha]", "one choice at a time; give each a command"),
        ("-m loss=[mae,mse],mix", "one choice at a time"),
        ("-m loss=mae,mse --cfg job", "leave -m out"),
        ("-m cohort.phantom.seed=0,1", "cohort.phantom.seed: 0 and 1 would be one and the same cell phantom/main/"),
        ("-m optim.lr=0.001,0.01", "optim.lr: 0.001 and 0.01 would be one and the same cell phantom/main/"),
        ("loss=[mae", "loss=[mae"),
        ("optim.lrr=1", "optim.lrr: no such key"),
        ("data=null", "data=None: must be a mapping"),
        ("runs=null", "runs=None: must be a folder"),
        ("cohort.name=../up", "cohort.name"),
        ("cohort.name=null", "cohort.name=null: must be a name"),
        ("logger.name=foo", "no such logger; logger=csv or"),
        ("experiment.name=../up", "experiment.name"),
        ("experiment.value=1", "nothing without experiment.condition"),
        ("experiment.condition=apart", "experiment.condition=apart: must be"),
        ("fold=4", "fold=4"),
        ("fold=x", "fold="),
        ("fold=[]", "names no fold"),
        ("seed=-1", "seed=-1"),
        ("seed=4294967296", "give a whole number from 0 to 4294967295"),
        ("=5", "no key before the equals sign"),
        ("data.n_folds=x", "data.n_folds=x"),
        ("data.n_folds=9", "only 4 participants"),
        ("-m seed=0,1 data.n_folds=9", "only 4 participants"),
        ("+cohort.where.hospital=1", "hospital"),
        ("+cohort.where.technique=PETRA", "PETRA"),
        ("data.fold_seed=x", "data.fold_seed=x"),
        ("data.val_fraction=0", "data.val_fraction=0"),
        ("data.val_fraction=2", "data.val_fraction=2"),
        ("data.val_fraction=some", "data.val_fraction=some"),
        ("data.val_unit=pixel", "data.val_unit=pixel"),
        ("data.batch_size=0", "data.batch_size=0"),
        ("data.batch_size=many", "data.batch_size=many"),
        ("trainer.devices=17 trainer.accelerator=cpu", "data.batch_size=16: must be at least the number of processes"),
        ("data.resident=disk", "data.resident=disk"),
        ("-m seed=0,1 data.resident=disk", "data.resident=disk"),
        ("metrics.thresholds=[0.4,1.5]", "metrics.thresholds=[0.4, 1.5]"),
        ("metrics.thresholds=[high]", "metrics.thresholds="),
        ("metrics.thresholds=0.4", "metrics.thresholds=0.4"),
        ("metrics.rows=pixel", "metrics.rows=pixel"),
        ("evaluate=volumes", "evaluate=volumes: must be slices or volume"),
        ("examples=some", "examples=some"),
        ("examples=-1", "examples=-1"),
        ("trainer.max_epochs=0", "trainer.max_epochs=0"),
        ("trainer.max_epochs=many", "trainer.max_epochs=many"),
        ("trainer.precision=bf16-true", "trainer.precision=bf16-true"),
        ("trainer.accelerator=tpu", "trainer.accelerator=tpu"),
        ("trainer.accelerator=mps", "this machine has no Apple GPU"),
        ("trainer.compile=perhaps", "trainer.compile=perhaps"),
        ("-m trainer.compile=false,perhaps", "trainer.compile=perhaps"),
        ("trainer.checkpoint_every_s=-1", "trainer.checkpoint_every_s=-1"),
        ("trainer.checkpoint_every_s=often", "trainer.checkpoint_every_s=often"),
        ("+trainer.speed=high", "speed"),
        ("optim.lr=-1", "optim: "),
        ("augment.crop=2", "augment: crop"),
        ("model.network=null", "model.network=null: must be a mapping with _target_"),
        ("model.network._target_=torch.nn.Identity", "model.network: Identity has no parameters"),
        ("model.network._target_=builtins.dict", "model.network: a dict is no network"),
        ("model.widths=[4]", "widths must be at least two positive numbers"),
        ("loss.function=null", "loss.function=null: must be a mapping with _target_"),
        ("loss.function._target_=mylosses.Nothing", "mylosses"),
        ("loss.function._target_=torch.nn.Identity", "loss.function: does not take (prediction, target)"),
        ("+loss.function.reduction=none", "loss.function: must give one number"),
        ("prepare.size_px=33", "prepare.size_px=33"),
        ("prepare.window.width_hu=0", "prepare.window="),
        ("prepare.spacing_mm=thin", "prepare.spacing_mm=thin"),
        ("prepare.mask_clip_hu=[0]", "prepare.mask_clip_hu=[0]"),
        ("prepare.store=null", "prepare.store=None"),
        ("cohort.displaced=perhaps", "displaced=perhaps"),
        ("cohort.phantom.participants=many", "participants=many"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(doors: Doors, words: str, told: str) -> None:
    answer = doors.run("fold=0", *words.split())
    assert told in answer.error
    assert not list(doors.folder.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("prepare.jobs=many", "jobs=many"),
        ("prepare.on_error=go", "prepare.on_error=go"),
        ("runs=data/phantom/cohort/participants.tsv", "cannot be written"),
    ],
)
def test_a_mistake_that_the_data_show_is_one_line(tiny: Doors, words: str, told: str) -> None:
    assert told in tiny.run("fold=0", words).error
    assert not list(tiny.folder.glob("runs/**/metrics.*"))


def test_a_folder_that_is_not_given_is_named(doors: Doors) -> None:
    assert "cohort.root is missing" in doors("run", "cohort=folder").error
    assert "`-m loss=mae,mse`" in doors("ledger", "loss=[mae,mse]").error


@pytest.mark.parametrize("door", ["run", "prepare"])
def test_the_name_of_a_cohort_is_no_path(doors: Doors, door: str) -> None:
    answer = doors(door, *TINY, "cohort.name=../../up", "prepare.store=store")
    assert "cohort.name" in answer.error
    assert not list(doors.folder.iterdir())
    assert not (doors.folder.parent / "up").exists()


def test_a_folder_of_another_configuration_is_refused_by_its_key(tiny: Doors) -> None:
    tiny.run("fold=0")
    answer = tiny.run("fold=0", "optim.lr=0.5")
    assert "optim.lr: 0.001 before, 0.5 now" in answer.error
    answer = tiny.run("fold=1", "data.fold_seed=5")  # not even beside it: somebody would be tested twice, or never
    assert "fold-0: holds a run of another configuration (data.fold_seed: 0 before, 5 now)" in answer.error
    assert not tiny.cell(fold=1).joinpath("config.yaml").exists()


def test_a_folder_of_other_slices_is_refused(tiny: Doors) -> None:
    tiny.run("fold=0", "trainer.max_epochs=1")
    for fold in (0, 1):  # not even beside it: the folds would be pooled
        answer = tiny.run(f"fold={fold}", "trainer.max_epochs=1", "cohort.phantom.seed=5")
        assert "fold-0: holds a run of another configuration (the slices: store " in answer.error
    assert not (tiny.cell(fold=1) / "metrics.json").exists()


def test_ones_own_loss(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny.folder / "mylosses.py").write_text(
        "import torch\n\n\nclass Huber(torch.nn.Module):\n"
        "    def __init__(self, delta=0.05):\n        super().__init__()\n        self.delta = delta\n\n"
        "    def forward(self, prediction, target):\n"
        "        return torch.nn.functional.huber_loss(prediction, target, delta=self.delta)\n"
    )
    monkeypatch.syspath_prepend(str(tiny.folder))
    words = ["loss.name=huber", "loss.function._target_=mylosses.Huber", "+loss.function.delta=0.05"]
    assert tiny.run("fold=0", *words).code == 0
    assert (tiny.cell("huber") / "metrics.json").exists()


def test_pairs_of_any_grid_lie_on_each_other_and_train(doors: Doors) -> None:
    write_hand_made_cohort(doors.folder / "clinic")
    words = ["cohort=folder", "cohort.root=clinic", "prepare.size_px=32", "prepare.spacing_mm=5", "prepare.jobs=1"]
    answer = doors("run", *words, *TINY_TRAINING, "trainer.max_epochs=1", "data.n_folds=2", "loss=mix")
    assert answer.code == 0, answer.err
    assert "all 2 folds" in answer.out
    store = SliceStore(doors.folder / "data/clinic/store-resize-32px-5mm")
    assert store.participant_ids == sorted(GRIDS)
    for name in GRIDS:
        mr, ct, mask = store.participant(name).data.astype(int)
        brain = mr[(ct > 60) & (ct < 80)].mean()  # 35 HU is level 68
        assert mr[ct > 200].mean() < 0.5 * brain  # bone
        assert mr[(ct < 5) & (mask > 0)].mean() < 0.35 * brain  # air of the sinus, and of the hull's corners
        assert store.record(name).columns["shoe size"].startswith("3")
        assert {int(plane) for plane in store.record(name).planes} == {0, 1, 2}


def test_a_full_disk_names_what_could_not_be_written_and_the_next_call_goes_on(tiny: Doors) -> None:
    with full_after(8000):  # best.ckpt is larger
        answer = tiny.run("fold=0", "trainer.max_epochs=1")
    assert "best.ckpt: cannot be written (File too large)" in answer.error
    assert "error.txt" not in answer.error
    assert not (tiny.cell() / "best.ckpt").exists()
    assert tiny.run("fold=0", "trainer.max_epochs=1").code == 0


def test_whole_volumes_are_scored_beside_the_slices(tiny: Doors) -> None:
    tiny.run("fold=0", "trainer.max_epochs=1")
    before = (tiny.cell() / "metrics.json").read_bytes()
    answer = tiny.run("fold=0", "trainer.max_epochs=1", "evaluate=volume")  # added to a cell that is done
    assert answer.code == 0, answer.err
    assert (tiny.cell() / "metrics.json").read_bytes() == before
    scores = json.loads((tiny.cell() / "volumes.json").read_text())
    assert scores.keys() == json.loads((tiny.cell() / "split.json").read_text())["test"].keys()
    rows = list(csv.DictReader((tiny.cell() / "volumes.csv").open()))
    assert {row["volume"] for row in rows} == {"axial", "coronal", "sagittal", "fused", "planes"}
    assert {row["mask"] for row in rows} == {"mr", "ct"}
    for found in scores.values():
        assert "inner air saturates at -500 HU" in found["note"]
        assert -1 <= found["uncertainty"]["spearman_r"] <= 1
        assert 0 <= found["uncertainty"]["bone_errors_in_top_share"] <= 1
    (row,) = [
        row
        for row in rows
        if (row["mask"], row["protocol"], row["volume"], row["figure"]) == ("mr", "slices", "fused", "mae_hu")
    ]
    found = scores[row["participant_id"]]["protocols"]["slices"]["fused"]["mae_hu"]
    assert float(row["value"]) == found
    first = (tiny.cell() / "volumes.csv").read_bytes()
    shutil.rmtree(tiny.folder / "runs")
    assert tiny.run("fold=0", "trainer.max_epochs=1", "evaluate=volume").code == 0  # and within a cell
    assert (tiny.cell() / "volumes.csv").read_bytes() == first


def test_whole_volumes_are_scored_where_participants_are_left_out(tiny: Doors) -> None:
    shutil.move(tiny.folder / "data/phantom/cohort", tiny.folder / "clinic")
    left_out = sorted(tiny.folder.glob("clinic/sub-*/mr.nii.gz"))[0]
    left_out.unlink()
    words = ("cohort=folder", "cohort.root=clinic", "data.n_folds=3", "prepare.on_error=skip", "evaluate=volume")
    answer = tiny("run", *TINY[2:], *TINY_TRAINING, *words, "fold=0", "trainer.max_epochs=1")
    assert answer.code == 0, answer.err
    assert answer.out.rstrip().splitlines()[-1] == f"left out: {left_out.parent.name}: no mr"
    assert len(list(tiny.folder.glob("runs/clinic/**/volumes.json"))) == 1


def test_nothing_but_our_own_lines_on_the_screen(tiny: Doors) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        answer = tiny.run("fold=0", "trainer.max_epochs=1", "logger=tensorboard")
    assert [line.split(":")[0] for line in answer.err.splitlines()] == ["light_unet/mae/seed-0/fold-0", "epoch 0"]
