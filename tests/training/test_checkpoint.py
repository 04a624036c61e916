"""Checkpoints load as plain data only, and every fault is one line with the file's name."""

import pickle
from pathlib import Path

import pytest
import torch
from full_disk import full_after
from short_training import MODEL, WIDTHS

from sct.core.errors import SctError
from sct.models.light_unet import LightUNet
from sct.training.checkpoint import build_network, load_network, read_checkpoint
from sct.training.checkpoint_io import AtomicCheckpointIO, HeldCheckpointIO


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    network = LightUNet(WIDTHS)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    return {"state_dict": state, "hyper_parameters": {"model": dict(MODEL), "prepare": {"size_px": 32}}}


def save(checkpoint, path):
    AtomicCheckpointIO().save_checkpoint(checkpoint, path)
    return path


def test_loads_the_same_network(tmp_path, checkpoint):
    loaded = load_network(save(checkpoint, tmp_path / "best.ckpt"))
    torch.manual_seed(0)
    mr = torch.rand(1, 1, 32, 32)
    expected = LightUNet(WIDTHS).eval()
    expected.load_state_dict({k.removeprefix("network."): v for k, v in checkpoint["state_dict"].items()})
    assert torch.equal(loaded.network(mr), expected(mr))
    assert not loaded.network.training
    assert loaded.hyper_parameters["prepare"] == {"size_px": 32}


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_never_run(tmp_path, checkpoint, zipped):
    path, witness = tmp_path / "evil.ckpt", tmp_path / "witness"
    checkpoint["extra"] = Malicious(witness)
    if zipped:
        torch.save(checkpoint, path)
    else:
        path.write_bytes(pickle.dumps(checkpoint))
    with pytest.raises(SctError, match=r"evil\.ckpt: [^\n]*$"):
        load_network(path)
    assert not witness.exists()


def test_truncated_at_any_place(tmp_path, checkpoint):
    path = save(checkpoint, tmp_path / "cut.ckpt")
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SctError, match=r"cut\.ckpt: it is truncated[^\n]*$"):
            load_network(path)
    path.write_text("<html>not found</html>")
    with pytest.raises(SctError, match=r"cut\.ckpt: it is truncated or not a PyTorch checkpoint$"):
        load_network(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("hyper_parameters"), "no hyper_parameters"),
        (lambda c: c["hyper_parameters"].pop("model"), "no hyper_parameters with a model"),
        (lambda c: c.pop("state_dict"), "no state_dict"),
        (lambda c: c["hyper_parameters"]["model"].update(widths=[4, 8, 32]), "not of the architecture"),
        (lambda c: c["hyper_parameters"]["model"].update(widths=[4]), "does not take its arguments"),
        (lambda c: c["hyper_parameters"]["model"].update(depth=3), "does not take its arguments.*depth"),
        (lambda c: c["state_dict"].clear(), "not of the architecture"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_="os.system"), "os.system.*not in sct"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_=None), "not in sct"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_="sct.models.light_unet.Other"), "not there"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_="sct.nothing.At"), "not there"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_="sct.core.files.write_text"), "not a network"),
        (lambda c: c["hyper_parameters"]["model"].update(_target_="sct.models.light_unet.nn.Linear"), "not there"),
    ],
)
def test_faults_are_one_line_with_the_file(tmp_path, checkpoint, change, message):
    change(checkpoint)
    path = save(checkpoint, tmp_path / "x.ckpt")
    with pytest.raises(SctError, match=rf"x\.ckpt: .*{message}[^\n]*$"):
        load_network(path)


def test_missing_file_and_plain_tensor(tmp_path):
    with pytest.raises(SctError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "none.ckpt")
    torch.save(torch.zeros(3), tmp_path / "tensor.ckpt")
    with pytest.raises(SctError, match="holds a Tensor"):
        read_checkpoint(tmp_path / "tensor.ckpt")


def test_own_networks_are_built_when_their_package_is_allowed():
    config = {"_target_": "torch.nn.Identity"}
    with pytest.raises(SctError, match=r"add --allow torch$"):
        build_network(config)
    assert isinstance(build_network(config, allow=["torch"]), torch.nn.Identity)
    with pytest.raises(SctError, match="not a network"):
        build_network({"_target_": "torch.Generator"}, allow=["torch"])


@pytest.mark.parametrize("n_bytes", [0, 500, 3000])
def test_a_full_disk_is_told_and_keeps_the_old_file(tmp_path, checkpoint, n_bytes):
    path = save(checkpoint, tmp_path / "last.ckpt")
    before = path.read_bytes()
    assert len(before) > 3000
    with full_after(n_bytes), pytest.raises(SctError, match=r"last\.ckpt: cannot be written \(File too large\)"):
        save(checkpoint, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_held_checkpoints_are_written_newest_last_and_none_after_one_that_failed(tmp_path, monkeypatch):
    """`last.ckpt` tells which epoch is the best: it must never be newer than `best.ckpt`."""
    best, last = tmp_path / "best.ckpt", tmp_path / "last.ckpt"
    files, written = HeldCheckpointIO(), []
    for saved in ({best: 0, last: 0}, {last: 1}, {best: 2, last: 2}):
        for path, epoch in saved.items():
            files.save_checkpoint({"epoch": epoch}, path)
        files.hold()
    assert not list(tmp_path.iterdir())
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (written.append(to), replace(self, to)))
    files.write()
    assert written == [best, last]
    assert [read_checkpoint(path)["epoch"] for path in written] == [2, 2]
    for path in (best, last):
        files.save_checkpoint({"epoch": 3, "weights": torch.zeros(1000)}, path)
    files.hold()
    with full_after(0), pytest.raises(SctError, match=r"best\.ckpt: cannot be written"):
        files.write()
    files.write()
    assert read_checkpoint(last)["epoch"] == 2
