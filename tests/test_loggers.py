"""TensorBoard and W&B read back from their files, without a network; nothing in them that identifies somebody."""

import csv
import getpass
import itertools
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doors import TINY, TINY_TRAINING, Doors

from sct._wandb import difference_image, without_paths


def wandb_records(folder: Path) -> list[dict[str, Any]]:
    """All records of the offline runs in a run folder, read by W&B's own tool."""
    records = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(path)]
        out = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout
        records += [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return records


def history(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was logged, in order."""
    return [flat for record in records if record["type"] == "history" if (flat := _values(record["history"]))]


def _values(node: Any) -> dict[str, Any]:
    """The mapping of logged names to values, however deep the tool wraps it."""
    if isinstance(node, dict):
        if "_runtime" in node or "_step" in node:
            return node
        for inner in node.values():
            if found := _values(inner):
                return found
    return {}


def strings(node: Any) -> Iterator[str]:
    """All values that are text, however deep."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from itertools.chain.from_iterable(map(strings, node.values()))
    elif isinstance(node, list):
        yield from itertools.chain.from_iterable(map(strings, node))


def test_tensorboard_has_each_epochs_losses(tiny: Doors) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    answer = tiny.run("fold=0", "logger=tensorboard")
    assert answer.code == 0, answer.err
    events = EventAccumulator(str(tiny.cell() / "tensorboard"))
    events.Reload()
    assert {"train_loss", "val_loss", "val_mae_hu", "test_mae_hu"} <= set(events.Tags()["scalars"])
    shown = [event.value for event in events.Scalars("val_loss")]
    rows = (tiny.cell() / "metrics.csv").read_text().splitlines()[1:]
    assert shown == pytest.approx([float(row.split(",")[2]) for row in rows])
    (test,) = events.Scalars("test_mae_hu")
    assert test.value == pytest.approx(json.loads((tiny.cell() / "metrics.json").read_text())["mae_hu"])


def test_an_offline_run_of_wandb_read_back(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tiny.folder / "home"))
    root = (tiny.folder / "data/phantom/cohort").resolve()
    answer = tiny.run("fold=0", "logger=wandb_offline", f"cohort.root={root}")
    assert answer.code == 0, answer.err
    cell = tiny.cell()
    assert {path.name for path in tiny.folder.iterdir()} == {"data", "runs"}  # nothing elsewhere
    records = wandb_records(cell)
    (run,) = [record["run"] for record in records if record["type"] == "run"]
    assert (run["project"], run["run_group"]) == ("bone-sct", "phantom/main")
    assert set(run["tags"]) == {"light_unet", "mae", "seed-0", "fold-0"}
    assert run["job_type"] == "train"
    told = json.dumps(run)
    assert '"batch_size": 16' in told
    assert '"root": "cohort"' in told  # its last name only

    logged = history(records)
    rows = list(csv.DictReader((cell / "metrics.csv").open()))
    for name in ("train_loss", "val_loss"):
        assert [row[name] for row in logged if name in row] == pytest.approx([float(row[name]) for row in rows])
    assert len([row for row in logged if "val_mae_hu" in row]) == len(rows)
    found = json.loads((cell / "metrics.json").read_text())
    assert f'"test_mae_hu": {found["mae_hu"]}'[:30] in json.dumps([r for r in records if r["type"] == "summary"])

    (table,) = cell.glob("wandb/offline-run-*/files/media/table/test_table*.json")
    content = json.loads(table.read_text())
    people = set(json.loads((cell / "split.json").read_text())["test"])
    assert {row[content["columns"].index("participant_id")] for row in content["data"]} == people
    (table,) = cell.glob("wandb/offline-run-*/files/media/table/threshold_curves*.json")
    content = json.loads(table.read_text())
    assert [row[0] for row in content["data"]] == [300, 400, 500, 600, 700, 800, 900]
    assert [row[3] for row in content["data"]] == found["bone_dice_curve"]
    pictures = list(cell.glob("wandb/offline-run-*/files/media/images/*.png"))
    assert len(pictures) == 3

    sent = set(strings([record for record in records if record["type"] != "artifact"]))  # these name files to be sent
    assert "light_unet" in sent
    assert not {socket.gethostname(), getpass.getuser()} & sent
    assert not [text for text in sent for name in (str(tiny.folder), sys.prefix, "/home/") if name in text]
    names = {path.name for path in cell.glob("wandb/offline-run-*/files/*")}
    assert names <= {"media", "config.yaml", "wandb-summary.json"}  # no metadata, requirements, code, console


def test_pictures_of_wandb_are_the_examples(tiny: Doors) -> None:
    from matplotlib.image import imread

    from sct.study.examples import read_examples

    tiny.run("fold=0", "logger=wandb_offline", "trainer.max_epochs=1")
    examples = read_examples(tiny.cell() / "examples.npz")
    shown = []
    for path in tiny.cell().glob("wandb/offline-run-*/files/media/images/*.png"):
        pixels = np.round(imread(path) * 255).astype(np.uint8)
        shown.append(pixels if pixels.ndim == 2 else pixels[..., 0])
    for mr, ct, sct in zip(examples.mr, examples.ct, examples.sct, strict=True):
        expected = np.concatenate([mr, ct, sct, difference_image(ct, sct)], axis=1)
        assert any(np.array_equal(expected, picture) for picture in shown)


def test_a_resumed_cell_is_the_same_run(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    from sct.training.task import SynthesisTask

    untouched = SynthesisTask.training_step

    def dying(self: SynthesisTask, batch: Any, batch_idx: int) -> Any:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        return untouched(self, batch, batch_idx)

    monkeypatch.setattr(SynthesisTask, "training_step", dying)
    assert tiny.run("fold=0", "logger=wandb_offline").code == 130
    monkeypatch.setattr(SynthesisTask, "training_step", untouched)
    assert tiny.run("fold=0", "logger=wandb_offline").code == 0
    runs = [record["run"] for record in wandb_records(tiny.cell()) if record["type"] == "run"]
    assert len({run["run_id"] for run in runs}) == 1
    assert len(runs) == 2


def test_no_login_is_one_line_before_training(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tiny.folder / "home"))
    answer = tiny.run("fold=0", "logger=wandb")
    assert "no login" in answer.error
    assert "epoch 0" not in answer.err


def test_no_network_is_one_line_before_training(tiny: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("HOME", str(tiny.folder / "home"))
    answer = tiny.run("fold=0", "logger=wandb", "logger.timeout_s=2")
    assert "logger=wandb" in answer.error
    assert "logger=wandb_offline needs no network" in answer.error
    assert "epoch 0" not in answer.err


def test_a_wrong_value_is_one_line_before_training(tiny: Doors) -> None:
    answer = tiny.run("fold=0", "logger=wandb_offline", "logger.project=1")
    assert "project" in answer.error
    assert "epoch 0" not in answer.err


def test_one_of_two_processes_reports(tiny: Doors) -> None:
    words = ["fold=0", "trainer.devices=2", "trainer.accelerator=cpu", "trainer.max_epochs=1", "logger=wandb_offline"]
    answer = tiny("run", *TINY, *TINY_TRAINING, *words)
    assert answer.code == 0, answer.err
    assert len([record for record in wandb_records(tiny.cell()) if record["type"] == "run"]) == 1


def test_paths_are_cut_to_their_last_name() -> None:
    config = {"a": ["/home/somebody/weights.pth", 3], "b": {"c": "~/x", "d": "../../else/y", "e": "data/phantom"}}
    assert without_paths(config) == {"a": ["weights.pth", 3], "b": {"c": "x", "d": "y", "e": "data/phantom"}}


def test_differences_are_gray_levels_around_128() -> None:
    ct, sct = np.array([0, 255, 100, 100], np.uint8), np.array([255, 0, 100, 102], np.uint8)
    assert difference_image(ct, sct).tolist() == [255, 0, 128, 129]
    assert difference_image(ct, sct).dtype == np.uint8
