"""The task: losses are true means, sums are those of the predictions, bf16 agrees with full precision."""

import numpy as np
import pytest
import torch
from short_training import make_data, make_task, make_trainer, train
from torch import nn

from sct.core.errors import SctError
from sct.core.figures import figures
from sct.core.pixel_sums import SumsLayout
from sct.core.sums import SumsTable
from sct.slices.planes import PLANES
from sct.training.datamodule import SliceBatch
from sct.training.loader import BatchPlan, SliceLoader
from sct.training.losses import MixLoss
from sct.training.machine import choose_precision, prepared_machine
from sct.training.metrics import PixelSums
from sct.training.slices import MappedSlices
from sct.training.task import SynthesisTask


def stored(slices):
    return MappedSlices(slices).gather(torch.arange(len(slices)))


def test_test_sums_are_those_of_the_predictions(store):
    data, task = make_data(store, batch_size=5), make_task(network=Fixed())
    make_trainer(1).test(task, datamodule=data, verbose=False)
    # By numpy, from the store's own arrays: one row for each participant and plane.
    expected = {}
    for pid in data.test_slices.participant_ids:
        stored_pixels, planes = store.participant(pid).data, store.record(pid).planes
        for number, plane in enumerate(PLANES):
            mr, ct, mask = stored_pixels[:, planes == number].astype(np.int64)
            gray = np.float32(0.7) * (mr.astype(np.float32) / np.float32(255))
            x, y = 257 * ct, np.rint(gray * 65535).astype(np.int64)
            inside = mask > 0
            expected[pid, plane] = {
                "n_slices": len(mr),
                "frame_n": x.size,
                "frame_abs": np.abs(x - y).sum(),
                "frame_xy": (x * y).sum(),
                "frame_pred_40": (y >= 26214).sum(),
                "mask_n": inside.sum(),
                "mask_sq": ((x - y) ** 2)[inside].sum(),
                "mask_tp_40": ((x >= 26214) & (y >= 26214) & inside).sum(),
            }
    found = {key: {name: row[name] for name in expected[key]} for key, row in task.test_sums.rows.items()}
    assert found == expected


class Fixed(nn.Module):
    """A network whose output for a slice does not depend on its batch: identical predictions in any setting."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x):
        return (x * self.scale).float()


@pytest.mark.parametrize("arguments", [{"batch_size": 1}, {"batch_size": 7}, {"resident": "mapped"}])
def test_identical_predictions_give_identical_integers(store, arguments):
    tables = []
    for settings in ({}, arguments):
        task = make_task(network=Fixed())
        make_trainer(1).test(task, datamodule=make_data(store, **settings), verbose=False)
        tables.append(task.test_sums)
    assert tables[0].rows == tables[1].rows


@pytest.mark.parametrize("world_size", [2, 3, 5])
def test_sums_of_processes_add_up_to_those_of_one(store, world_size):
    """As the loader deals the batches: each slice once, in batches of 5 with a smaller last one."""
    task = make_task(network=Fixed())
    data = make_data(store, batch_size=5)
    make_trainer(1).test(task, datamodule=data, verbose=False)
    keys, rows = data.test_slices.rows()
    total = torch.zeros(len(keys), len(SumsLayout().columns), dtype=torch.int64)
    for rank in range(world_size):
        metric, plan = PixelSums(len(keys)), BatchPlan(len(rows), 5, rank=rank, world_size=world_size)
        for batch in SliceLoader(plan, MappedSlices(data.test_slices)):
            part = batch.levels
            row_of = torch.from_numpy(rows)[batch.numbers]
            metric.update(Fixed()(part[:, :1].float() / 255), part[:, 1:2], part[:, 2:3], row_of)
        total += metric.sums
    assert SumsTable.from_matrix(keys, SumsLayout().columns, total.tolist()).rows == task.test_sums.rows


def test_sums_by_slice_pool_to_those_by_plane(store):
    tables = []
    for by_slice in (False, True):
        task = make_task(network=Fixed(), sums_by_slice=by_slice)
        make_trainer(1).test(task, datamodule=make_data(store), verbose=False)
        tables.append(task.test_sums)
    merged = SumsTable()
    for key, row in tables[1].rows.items():
        merged.add(SumsTable({key[:2]: row}))
    assert merged.rows == tables[0].rows
    assert {len(key) for key in tables[1].rows} == {3}
    assert {key[1] for key in tables[0].rows} == set(PLANES)


def test_a_network_that_diverged_is_told(store):
    network = Fixed()
    with torch.no_grad():
        network.scale.fill_(float("nan"))
    with pytest.raises(SctError, match="not finite"):
        make_trainer(1).test(make_task(network=network), datamodule=make_data(store), verbose=False)


def test_logged_losses_are_means_over_slices(store):
    """Batches of 8 with a smaller last one: the mean over batches would differ."""
    task = SynthesisTask(Fixed(), nn.L1Loss(), lambda p: torch.optim.SGD(p, lr=0.0))
    data = make_data(store, augment=None)
    trainer = make_trainer(1)
    trainer.fit(task, datamodule=data)
    for name, slices in (("train_loss", data.train_slices), ("val_loss", data.val_slices)):
        assert len(slices) % 8
        gray = stored(slices).double() / 255
        expected = float((0.7 * gray[:, 0] - gray[:, 1]).abs().mean())
        assert float(trainer.callback_metrics[name]) == pytest.approx(expected, rel=1e-5)


def test_share_makes_the_gradient_that_of_the_global_batch():
    """Five slices dealt to two processes, three and two: the mean of the weighted gradients is the whole one's."""
    levels = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def gradient(numbers, share):
        task = SynthesisTask(Fixed(), MixLoss())
        task._train_loss = task._zero_mean()
        part = levels[numbers]
        batch = SliceBatch(part, part.square(), torch.zeros(0), torch.tensor(numbers), share)
        task.training_step(batch, 0).backward()
        return task.network.scale.grad

    dealt = (gradient([0, 2, 4], 3 * 2 / 5) + gradient([1, 3], 2 * 2 / 5)) / 2
    torch.testing.assert_close(dealt, gradient([0, 1, 2, 3, 4], 1.0))


def test_bf16_ends_near_full_precision(store, tmp_path):
    """Stated tolerance: validation losses within 3 % and MAE within 5 % after 6 epochs from the same weights."""
    found = []
    for precision in ("32-true", "bf16-mixed"):
        task = train(store, tmp_path / precision, 6, precision=precision)
        trainer = make_trainer(1, precision=precision)
        trainer.test(task, datamodule=make_data(store), verbose=False)
        val_loss = np.genfromtxt(tmp_path / precision / "metrics.csv", delimiter=",", names=True)["val_loss"]
        found.append((val_loss, figures(task.test_sums.pooled())["mae_hu"]))
    (full, mae_full), (low, mae_low) = found
    np.testing.assert_allclose(low, full, rtol=0.03)
    assert mae_low == pytest.approx(mae_full, rel=0.05)


def test_loss_sees_float32_under_autocast(store):
    seen = []

    def loss(prediction, target):
        seen.append((prediction.dtype, target.dtype, torch.is_autocast_enabled("cpu")))
        return (prediction - target).abs().mean()

    task = SynthesisTask(make_task().network, loss)
    make_trainer(1, precision="bf16-mixed", limit_train_batches=1, limit_val_batches=1).fit(
        task, datamodule=make_data(store)
    )
    assert set(seen) == {(torch.float32, torch.float32, False)}


def test_precision_follows_the_machine(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    for amx, bf16, expected in ((True, False, "bf16-mixed"), (False, True, "bf16-mixed"), (False, False, "32-true")):
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda amx=amx: amx, raising=False)
        monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda bf16=bf16: bf16, raising=False)
        assert choose_precision("auto", cpu) == expected
    for capability, expected in (((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")):
        monkeypatch.setattr("torch.cuda.get_device_capability", lambda device, c=capability: c)
        assert choose_precision("auto", gpu) == expected
    assert choose_precision("auto", torch.device("mps")) == "32-true"
    assert choose_precision("64-true", cpu) == "64-true"


def test_machine_settings_are_put_back():
    def settings():
        cudnn = torch.backends.cudnn
        return cudnn.benchmark, cudnn.deterministic, float(torch.full((), 1e-40) * 1) != 0

    before = settings()
    with pytest.raises(RuntimeError, match="within"), prepared_machine():
        assert settings() == (False, True, False)
        raise RuntimeError("within")
    assert settings() == before
