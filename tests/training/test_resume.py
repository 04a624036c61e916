"""An interrupted training goes on where it was and ends in the same weights."""

import csv
import shutil
from copy import deepcopy

import pytest
import torch
from pytorch_lightning import Callback
from short_training import make_data, make_task, make_trainer, run_callbacks, train

from sct.core.errors import SctError
from sct.models.light_unet import LightUNet
from sct.training.callbacks import BestAndLast
from sct.training.checkpoint import read_checkpoint
from sct.training.fitting import _best_weights
from sct.training.resume import checkpoint_to_resume


class Killed(Exception):
    pass


class KillAt(Callback):
    """Raises in the middle of an epoch."""

    def __init__(self, epoch, step):
        self.at = (epoch, step)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == self.at:
            raise Killed


def weights(task):
    return {name: value.clone() for name, value in task.state_dict().items()}


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return [{k: row[k] for k in ("epoch", "train_loss", "val_loss")} for row in csv.DictReader(file)]


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, msg=name)


@pytest.mark.parametrize(
    ("precision", "every_s", "last_epoch", "hard"),
    [
        ("32-true", 0.0, 1, True),  # written at each epoch's end
        ("bf16-mixed", 0.0, 1, True),
        ("32-true", 1e9, 1, False),  # held in memory, and written when the run is interrupted
        ("32-true", 1e9, 0, True),  # no time to write: only the first epoch's end is there
    ],
)
def test_killed_and_resumed_is_the_uninterrupted_run(
    store, tmp_path, monkeypatch, precision, every_s, last_epoch, hard
):
    straight = train(store, tmp_path / "straight", 4, precision=precision)
    folder = tmp_path / "killed"
    killed = make_trainer(4, [*run_callbacks(folder, every_s=every_s), KillAt(2, 1)], precision=precision)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if hard:
            patch.setattr(BestAndLast, "on_exception", lambda *_: None)
        killed.fit(make_task(), datamodule=make_data(store))
    assert [row["epoch"] for row in rows(folder)] == ["0", "1"]
    assert read_checkpoint(folder / "last.ckpt")["epoch"] == last_epoch
    torch.manual_seed(999)  # the global generator of the new process is in another state
    resumed = train(store, folder, 4, resume=True, precision=precision)
    assert_same(weights(straight), weights(resumed))
    assert rows(folder) == rows(tmp_path / "straight")
    best = [read_checkpoint(path / "best.ckpt") for path in (tmp_path / "straight", folder)]
    assert_same(best[0]["state_dict"], best[1]["state_dict"])


def test_same_seed_same_weights_other_seed_others(store, tmp_path):
    one, same, other = (train(store, tmp_path / str(k), 1, seed=seed) for k, seed in enumerate((3, 3, 4)))
    assert_same(weights(one), weights(same))
    assert not torch.equal(one.network.output.convolution.weight, other.network.output.convolution.weight)


def fit_with_losses(store, folder, values, monkeypatch, max_epochs=None, resume=False, patience=2):
    task = make_task()
    given = iter(values[len(rows(folder)) if resume else 0 :])

    def log_mean(name, mean, unit=1.0):
        task.log(name, torch.tensor(next(given) if name == "val_loss" else 1.0), batch_size=1)

    monkeypatch.setattr(task, "_log_mean", log_mean)
    callbacks = run_callbacks(folder, patience)
    trainer = make_trainer(max_epochs or len(values), callbacks)
    trainer.fit(task, datamodule=make_data(store), ckpt_path=str(folder / "last.ckpt") if resume else None)
    return callbacks


def test_stops_after_patience_without_decrease_and_keeps_the_best(store, tmp_path, monkeypatch):
    stopping, _, best = fit_with_losses(store, tmp_path, [3.0, 2.0, 2.0, 2.5, 1.0, 0.5], monkeypatch)
    assert [row["val_loss"] for row in rows(tmp_path)] == ["3.0", "2.0", "2.0", "2.5"]
    assert (best.best_epoch, best.best_val_loss, stopping.stopped) == (1, 2.0, True)
    assert read_checkpoint(tmp_path / "best.ckpt")["epoch"] == 1


def test_resuming_a_run_that_had_stopped_trains_no_further(store, tmp_path, monkeypatch):
    values = [2.0, 3.0, 3.0, 1.0, 1.0]
    fit_with_losses(store, tmp_path, values, monkeypatch)
    fit_with_losses(store, tmp_path, values, monkeypatch, resume=True)
    assert len(rows(tmp_path)) == 3


def test_a_first_epoch_that_is_not_finite_is_told(store, tmp_path, monkeypatch):
    with pytest.raises(SctError, match="diverged"):
        fit_with_losses(store, tmp_path, [float("nan"), 1.0], monkeypatch)


def test_what_is_no_state_of_this_training_is_refused(store, tmp_path):
    train(store, tmp_path, 1)
    assert checkpoint_to_resume(tmp_path, make_task()) == tmp_path / "last.ckpt"
    other = make_task(network=LightUNet((4, 8, 8)))
    with pytest.raises(SctError, match=r"last.ckpt: of another architecture \(network.*remove it to begin anew"):
        checkpoint_to_resume(tmp_path, other)
    shutil.copy(tmp_path / "best.ckpt", tmp_path / "last.ckpt")
    with pytest.raises(SctError, match="no state of a training, it has no optimizer_states"):
        checkpoint_to_resume(tmp_path, make_task())
    (tmp_path / "last.ckpt").write_bytes(b"PK")
    with pytest.raises(SctError, match=r"truncated.*remove it to begin anew"):
        checkpoint_to_resume(tmp_path, make_task())
    (tmp_path / "last.ckpt").unlink()
    assert checkpoint_to_resume(tmp_path, make_task()) is None


@pytest.mark.parametrize(("what", "nth"), [("deepcopy", n) for n in (3, 4, 5, 6)] + [("torch.save", n) for n in (3, 4)])
def test_an_interrupt_while_copying_or_writing_leaves_files_that_belong_together(
    store, tmp_path, monkeypatch, what, nth
):
    straight = train(store, tmp_path / "straight", 4)
    folder, calls = tmp_path / "interrupted", []
    untouched = {"deepcopy": deepcopy, "torch.save": torch.save}[what]

    def interrupted(*arguments):
        calls.append(what)
        if len(calls) == nth:
            raise Killed
        return untouched(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(f"sct.training.checkpoint_io.{what}", interrupted)
        make_trainer(4, run_callbacks(folder, every_s=1e9)).fit(make_task(), datamodule=make_data(store))
    last = read_checkpoint(folder / "last.ckpt")
    best_epoch = next(state["best_epoch"] for state in last["callbacks"].values() if "best_epoch" in state)
    assert read_checkpoint(folder / "best.ckpt")["epoch"] == best_epoch
    assert last["epoch"] == len(rows(folder)) - (2 if what == "deepcopy" else 1)
    assert_same(weights(straight), weights(train(store, folder, 4, resume=True)))


def test_what_cannot_be_written_after_a_fault_is_told_beside_it(store, tmp_path, monkeypatch, capsys):
    callbacks = [*run_callbacks(tmp_path, every_s=1e9), KillAt(2, 1)]

    def of_a_broken_gpu(*_):
        raise RuntimeError("every later call fails too")

    written = torch.save
    monkeypatch.setattr(
        "sct.training.checkpoint_io.torch.save",
        lambda *a: written(*a) if len(rows(tmp_path)) < 2 else of_a_broken_gpu(),
    )
    with pytest.raises(Killed):
        make_trainer(4, callbacks).fit(make_task(), datamodule=make_data(store))
    assert "what was held since the last checkpoint is lost: every later call" in capsys.readouterr().err


def test_weights_of_another_epoch_than_the_best_are_refused(store, tmp_path):
    train(store, tmp_path, 2)
    kept = BestAndLast(tmp_path)
    kept.best_epoch = read_checkpoint(kept.best_path)["epoch"]
    assert "network.output.convolution.weight" in _best_weights(kept)
    kept.best_epoch += 1
    with pytest.raises(SctError, match=r"best.ckpt: of epoch \d, but the best of this training is \d; remove"):
        _best_weights(kept)


def test_held_checkpoints_are_written_at_the_end(store, tmp_path):
    """Also of a training that never comes to a second writing."""
    folder = tmp_path / "held"
    make_trainer(3, run_callbacks(folder, every_s=1e9)).fit(make_task(), datamodule=make_data(store))
    train(store, tmp_path / "each", 3)
    for name in ("best.ckpt", "last.ckpt"):
        found, wanted = (read_checkpoint(path / name) for path in (folder, tmp_path / "each"))
        assert found["epoch"] == wanted["epoch"]
        assert_same(found["state_dict"], wanted["state_dict"])


def test_a_kill_while_writing_leaves_the_old_last(store, tmp_path, monkeypatch):
    train(store, tmp_path, 1)
    before = (tmp_path / "last.ckpt").read_bytes()

    def half(checkpoint, file):
        file.write(b"PK half a checkpoint")
        raise Killed

    monkeypatch.setattr("sct.training.checkpoint.torch.save", half)
    with pytest.raises(Killed):
        train(store, tmp_path, 2, resume=True)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "last.ckpt", "metrics.csv"]
