"""Batches: the right pixels from each source, draws from (seed, epoch, step) alone, dealt to processes without loss."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from short_training import AUGMENT, make_data, make_task, split_of
from tiny_store import write_store
from torch.utils._python_dispatch import TorchDispatchMode

from sct.core.errors import SctError
from sct.slices.planes import PLANES
from sct.training.augment import apply_affine
from sct.training.datamodule import SliceDataModule, choose_resident
from sct.training.loader import BatchPlan, SliceLoader
from sct.training.slices import MappedSlices, SliceSet, load_resident


def pixels_of(store, slices):
    """What the store holds, read plainly: (N, 3, S, S)."""
    data = {pid: np.array(store.participant(pid).data) for pid in store.participant_ids}
    pairs = zip(slices.participant, slices.entry, strict=True)
    return np.stack([data[slices.participant_ids[p]][:, e] for p, e in pairs])


@pytest.fixture
def part(store):
    return SliceSet.of(store, {"p03": np.array([5, 2]), "p01": np.arange(12), "p05": np.array([0])})


def test_slices_know_their_rows(store, part):
    assert len(part) == 15
    assert part.participant_ids == ("p01", "p03", "p05")
    keys, rows = part.rows()
    assert [keys[row] for row in rows[:4]] == [("p01", PLANES[k % 3]) for k in range(4)]
    assert keys[rows[12]] == ("p03", PLANES[5 % 3])
    keys, rows = part.rows(by_slice=True)
    assert len(set(keys)) == 15
    assert keys[rows[4]] == ("p01", PLANES[1], 1)
    assert keys[rows[12]] == ("p03", PLANES[2], 1)
    keys, rows = SliceSet.of(store, {"p01": np.array([0, 0, 3])}).rows(by_slice=True)  # two crops of one slice
    assert keys == [("p01", PLANES[0], 0), ("p01", PLANES[0], 1)]
    assert rows.tolist() == [0, 0, 1]


@pytest.mark.parametrize("max_open_files", [1, 64])
def test_all_sources_give_the_stored_pixels(store, part, max_open_files):
    expected = torch.from_numpy(pixels_of(store, part))
    numbers = torch.tensor([14, 0, 13, 7, 7])
    resident = load_resident(part, torch.device("cpu"))
    mapped = MappedSlices(part, max_open_files)
    for source in (resident, mapped):
        torch.testing.assert_close(source.gather(numbers), expected[numbers], rtol=0, atol=0)
    mapped.close()


def test_mapped_keeps_few_files_open(store, part):
    mapped = MappedSlices(part, max_open_files=2)
    mapped.gather(torch.arange(15))
    assert len(mapped._open) == 2


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4))
def test_processes_share_the_training_batches_that_one_would_have(n, batch_size, world_size):
    batch_size = max(batch_size, world_size)
    whole = BatchPlan(n, batch_size, 3, AUGMENT)
    order = whole.order(2)
    parts = [BatchPlan(n, batch_size, 3, AUGMENT, rank, world_size) for rank in range(world_size)]
    assert len({len(part) for part in parts}) == 1
    left_out = n % batch_size if len(parts[0]) < len(whole) else 0
    assert left_out < world_size
    seen = []
    for step in range(len(parts[0])):
        together = whole.batch(order, 2, step)
        dealt = [part.batch(part.order(2), 2, step) for part in parts]
        for rank, mine in enumerate(dealt):
            assert torch.equal(mine.numbers, together.numbers[rank::world_size])
            assert torch.equal(mine.theta, together.theta[rank::world_size])
        # The mean over processes of (share x local mean) is the mean over the global batch.
        values = torch.arange(n, dtype=torch.float64)
        mean = sum(part.share * values[part.numbers].mean() for part in dealt) / world_size
        assert float(mean) == pytest.approx(float(values[together.numbers].mean()))
        seen += together.numbers.tolist()
    assert len(seen) == len(set(seen)) == n - left_out


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4))
def test_processes_deal_whole_batches_in_evaluation(n, batch_size, world_size):
    batch_size = max(batch_size, world_size)

    def batches(rank, world_size):
        plan = BatchPlan(n, batch_size, None, None, rank, world_size)
        return [plan.batch(plan.order(0), 0, step).numbers.tolist() for step in range(len(plan))]

    dealt = [batches(rank, world_size) for rank in range(world_size)]
    assert sorted(itertools.chain(*dealt)) == batches(0, 1)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_draws_depend_on_seed_epoch_and_step_alone():
    def draw(seed, epoch, step):
        plan = BatchPlan(64, 8, seed, AUGMENT)
        torch.rand(1)  # the global generator plays no part
        batch = plan.batch(plan.order(epoch), epoch, step)
        return batch.numbers.tolist(), batch.theta.flatten().tolist()

    base = draw(0, 0, 0)
    assert draw(0, 0, 0) == base
    for other in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        assert draw(*other)[0] != base[0]
        assert draw(*other)[1] != base[1]


@pytest.mark.parametrize("read_ahead", [False, True])
def test_loader_goes_through_epochs(store, part, read_ahead):
    epochs = iter([0, 1, 0])
    plan = BatchPlan(15, 4, seed=1)
    loader = SliceLoader(plan, MappedSlices(part), lambda: next(epochs), read_ahead=read_ahead)
    expected = torch.from_numpy(pixels_of(store, part))
    runs = [list(loader) for _ in range(3)]
    assert [len(batch.numbers) for batch in runs[0]] == [4, 4, 4, 3]
    assert len(loader) == 4
    for run in runs:
        assert sorted(torch.cat([batch.numbers for batch in run]).tolist()) == list(range(15))
        for batch in run:
            assert torch.equal(batch.levels, expected[batch.numbers])
    assert [b.numbers.tolist() for b in runs[0]] == [b.numbers.tolist() for b in runs[2]]
    assert [b.numbers.tolist() for b in runs[0]] != [b.numbers.tolist() for b in runs[1]]


def fake_trainer(epoch=0, part="train"):
    return SimpleNamespace(
        global_rank=0,
        world_size=1,
        current_epoch=epoch,
        training=part == "train",
        testing=part == "test",
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )


def batches(data, stage, part):
    data.trainer = fake_trainer(part=part)
    data.setup(stage)
    loader = {"train": data.train_dataloader, "val": data.val_dataloader, "test": data.test_dataloader}[part]()
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


@pytest.mark.parametrize(("stage", "part"), [("fit", "train"), ("fit", "val"), ("test", "test")])
def test_residence_changes_no_batch(store, stage, part):
    found = [batches(make_data(store, resident=where), stage, part) for where in ("memory", "mapped", "device", "auto")]
    for other in found[1:]:
        assert len(other) == len(found[0])
        for a, b in zip(found[0], other, strict=True):
            for one, same in zip(a, b, strict=True):
                assert torch.equal(torch.as_tensor(one), torch.as_tensor(same))


def test_training_batches_are_augmented_gray_of_the_stored_levels(store):
    data = make_data(store, seed=5)
    first = batches(data, "fit", "train")[0]
    plan = BatchPlan(len(data.train_slices), 8, 5, AUGMENT)
    host = plan.batch(plan.order(0), 0, 0)
    levels = torch.from_numpy(pixels_of(store, data.train_slices))[host.numbers]
    expected = apply_affine(levels[:, :2].float() / 255, host.theta)
    torch.testing.assert_close(torch.cat([first.mr, first.ct], 1), expected, rtol=0, atol=1e-6)
    assert torch.equal(first.levels, levels)


@pytest.mark.slow
def test_compiled_maps_are_one_kernel_for_all_batches(store):
    from torch._dynamo.utils import counters
    from torch._inductor import metrics

    plain, compiled = (make_data(store, seed=5, batch_size=9) for _ in range(2))
    compiled.compile_maps()
    torch._dynamo.reset()
    metrics.reset()
    counters.clear()
    expected, found = (batches(data, "fit", "train") for data in (plain, compiled))
    assert {len(batch.mr) for batch in found} == {9, 5}  # a single slice would be compiled apart
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other.mr, one.mr, rtol=0, atol=1e-4)
        torch.testing.assert_close(other.ct, one.ct, rtol=0, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == 1
    assert metrics.generated_kernel_count == 1


class Waits(TorchDispatchMode):
    """Counts operations whose result the host must see: on a GPU, each waits until the device has done all its work."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        names = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")
        self.count += any(func.overloadpacket.__name__.startswith(name) for name in names)
        return func(*args, **(kwargs or {}))


def test_no_training_or_validation_step_waits_for_the_device(store):
    data, task = make_data(store, resident="device"), make_task()
    data.trainer = fake_trainer()
    data.setup("fit")
    task.on_train_epoch_start()
    task.on_validation_epoch_start()
    optimizer = task.configure_optimizers()
    host = {"train": list(data.train_dataloader()), "val": list(data.val_dataloader())}
    with Waits() as waits:
        for batch in host["train"]:
            task.training_step(data.on_after_batch_transfer(batch, 0), 0).backward()
            optimizer.step()
            optimizer.zero_grad()
        data.trainer = fake_trainer(part="val")
        for batch in host["val"]:
            task.validation_step(data.on_after_batch_transfer(batch, 0), 0)
    assert waits.count == 0
    with Waits() as waits:
        float(task._train_loss[0])
    assert waits.count == 1


def test_evaluation_batches_are_the_stored_levels_in_order(store):
    data = make_data(store)
    found = batches(data, "test", "test")
    levels = torch.from_numpy(pixels_of(store, data.test_slices))
    assert torch.equal(torch.cat([batch.numbers for batch in found]), torch.arange(len(levels)))
    torch.testing.assert_close(torch.cat([batch.mr for batch in found]) * 255, levels[:, :1].float())
    torch.testing.assert_close(torch.cat([batch.ct for batch in found]) * 255, levels[:, 1:2].float())


def test_plain_batches_iterate_again_and_again(store):
    data = make_data(store)
    plain = data.plain_batches()
    for _ in range(2):
        mr, ct, mask = (torch.cat(images) for images in zip(*plain, strict=True))
        levels = torch.from_numpy(pixels_of(store, data.train_slices)).float() / 255
        torch.testing.assert_close(torch.cat([mr, ct, mask], 1), levels)


def test_auto_takes_the_fastest_place_that_holds_the_pixels(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    monkeypatch.setattr("sct.training.datamodule.available_bytes", lambda: 1000)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (200, 400))
    assert choose_resident("auto", 100, gpu) == "device"
    assert choose_resident("auto", 101, gpu) == "memory"
    assert choose_resident("auto", 501, gpu) == "mapped"
    assert choose_resident("auto", 100, cpu) == "memory"
    assert choose_resident("device", 10**12, cpu) == "memory"
    assert choose_resident("mapped", 1, cpu) == "mapped"


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"eval_batch_size": 0}, {"resident": "disk"}])
def test_user_mistakes_are_named(store, arguments):
    with pytest.raises(SctError, match=r"data\."):
        SliceDataModule(store, split_of(store), **arguments)
    with pytest.raises(ValueError, match="processes"):
        BatchPlan(10, 1, world_size=2)
    with pytest.raises(ValueError, match="seed"):
        BatchPlan(10, 1, augment=AUGMENT)


def test_a_truncated_store_is_named(tmp_path):
    store = write_store(tmp_path, n_participants=1)
    source = MappedSlices(SliceSet.of(store, {"p00": np.arange(12)}))
    source.gather(torch.tensor([0]))
    file = next(tmp_path.glob("*.npy"))
    with file.open("rb+") as handle:
        handle.truncate(file.stat().st_size - 100)
    with pytest.raises(SctError, match="p00"):
        source.gather(torch.tensor([11]))
