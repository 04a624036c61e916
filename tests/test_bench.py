"""The harness, the counted limits, the comparison of pages, and peers that do what we do."""

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import compare, networks
from benchmarks.bill import LOSSES, MODELS, bill
from benchmarks.epoch_profile import WRITING, busy_rows, busy_share, device_work
from benchmarks.equivalence import _rows
from benchmarks.gpu import STEPS, _compiling, _one_by_one
from benchmarks.harness import Plan, Ratio, RatioRow, Side, SideResult, Stage, StageResult, run_stage
from benchmarks.limits import Ceilings, floor_s, needs_of, units_of
from benchmarks.machine import kind
from benchmarks.page import ratio_table, write_page

ROOT = Path(__file__).parent.parent
SIDES = "tests.bench_sides"


def made_up_stage(**changes):
    sides = {"ours": Side(f"{SIDES}:constant", {"value": 6.0}), "peer": Side(f"{SIDES}:constant", {"value": 2.0})}
    return replace(Stage("made up", "slices/s", sides, [Ratio("ours", "peer", 2.5)]), **changes)


def quietly(stage, repeats=1):
    return run_stage(stage, repeats, 1, lambda _: None)


def test_ratios_are_of_rounds_and_seconds_count_downward():
    result = quietly(made_up_stage(), repeats=2)
    assert result.sides["ours"].values == [6.0, 6.0]
    assert result.sides["ours"].details == {"kept": "yes"}
    assert [(row.minimum, row.median, row.maximum) for row in result.ratios] == [(3.0, 3.0, 3.0)]
    ratios = [Ratio("ours", "peer"), Ratio("ours", 12.0), Ratio("ours")]
    result = quietly(made_up_stage(unit="s", ratios=ratios))
    assert [row.median for row in result.ratios] == [pytest.approx(1 / 3), 2.0, 6.0]


def test_a_failing_side_is_a_row_and_the_others_go_on():
    sides = {
        "ours": Side(f"{SIDES}:constant", {"value": 6.0}),
        "peer": Side(f"{SIDES}:failing"),
        "third": Side(f"{SIDES}:constant", {"value": 3.0}),
    }
    result = quietly(made_up_stage(sides=sides, ratios=[Ratio("ours", "peer"), Ratio("ours", "third")]))
    assert "a reason in one line" in result.sides["peer"].failure
    assert result.ratios[0].median is None
    assert "a reason in one line" in result.ratios[0].failure
    assert result.ratios[1].median == 2.0
    assert "failed: peer" in ratio_table([result])


def test_a_side_that_takes_too_long_is_ended():
    start = time.monotonic()
    result = quietly(made_up_stage(sides={"ours": Side(f"{SIDES}:sleeping")}, ratios=[Ratio("ours")], limit_s=1.5))
    assert "longer than" in result.sides["ours"].failure
    assert time.monotonic() - start < 50


def test_a_side_that_dies_is_told():
    result = quietly(made_up_stage(sides={"ours": Side(f"{SIDES}:crashing")}, ratios=[Ratio("ours")]))
    assert result.sides["ours"].failure == "ended with code -9"


def test_a_side_finds_what_a_script_of_its_own_would_find(capfd):
    here = subprocess.run(
        [sys.executable, "-c", "import multiprocessing; print(multiprocessing.get_start_method())"],
        capture_output=True,
        text=True,
        check=True,
    )
    for environment in ({}, {"SCT_A_VARIABLE": "set"}):
        side = Side(f"{SIDES}:surroundings", {"variable": "SCT_A_VARIABLE"}, environment)
        found = run_stage(made_up_stage(sides={"ours": side}, ratios=[]), 1, 3, lambda _: None).sides["ours"].details
        assert found == {"variable": environment.get("SCT_A_VARIABLE"), "threads": "3", "start": here.stdout.strip()}
    assert "SCT_A_VARIABLE" not in os.environ
    assert capfd.readouterr().out == ""


def test_a_harness_that_is_ended_leaves_no_child(tmp_path):
    script = (
        "from benchmarks.harness import *\n"
        "end_children_when_ended()\n"
        f"run_side(Side('{SIDES}:writing_its_number', {{'path': {str(tmp_path / 'pid')!r}}}), 1, 60)\n"
    )
    harness = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    while not (tmp_path / "pid").exists():
        time.sleep(0.05)
    child = int((tmp_path / "pid").read_text())
    harness.terminate()
    assert harness.wait() == 143
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_failing_setup_fails_all_sides():
    result = quietly(made_up_stage(setup=Side(f"{SIDES}:failing")))
    assert all("setup" in side.failure for side in result.sides.values())


def test_memory_of_a_side_is_seen():
    side = Side(f"{SIDES}:allocating", {"mib": 300})
    result = quietly(made_up_stage(sides={"ours": side}, ratios=[Ratio("ours", 60.0, of="peak")]))
    assert 0.58 < result.sides["ours"].peaks_gib[0] < 0.68  # the bytes and their copy, and little Python
    assert result.ratios[0].median == pytest.approx(60 / result.sides["ours"].peaks_gib[0])


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_operations_are_those_of_torchs_own_counter(name):
    x = torch.rand(2, 1, 32, 32)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        networks.make(name).eval()(x)
    with FlopCounterMode(display=False) as both:
        networks.make(name).train()(x).mean().backward()
    for counter, training in ((forward, False), (both, True)):
        assert counter.get_total_flops() == 2 * needs_of(networks.make(name), training, 32).operations


def test_values_of_a_network_counted_by_hand():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1),
    )
    units = units_of(network, 8)
    assert [(unit.kind, unit.values_in, unit.values_out) for unit in units] == [
        ("conv", 64, 256),
        ("pool", 256, 64),
        ("up", 64, 128),
    ]
    assert [unit.operations for unit in units] == [2 * 9 * 1 * 4 * 64, 0, 2 * 9 * 4 * 2 * 16]
    needs = needs_of(network, training=True, size_px=8)
    assert needs.values == 3 * (64 + 256 + 256 + 64 + 64 + 128)
    n_parameters = 4 * 9 + 4 + 8 + 4 * 2 * 9 + 2
    assert needs.bytes(torch.bfloat16, batch=2) == 2 * needs.values + n_parameters * (3 * 2 + 28) / 2


def test_the_floor_is_the_slower_of_the_two():
    needs = needs_of(networks.make("light_unet"), training=False, size_px=32)
    n_bytes = needs.bytes(torch.float32, 1)
    assert floor_s(needs, Ceilings(1e9, math.inf), torch.float32, 1) == pytest.approx(needs.operations / 1e9)
    assert floor_s(needs, Ceilings(math.inf, 1e6), torch.float32, 1) == pytest.approx(n_bytes / 1e6)


def test_limits_page_holds_what_is_counted():
    from benchmarks.limits import all_needs, limits_page

    assert limits_page(all_needs()) in (ROOT / "benchmarks" / "limits.md").read_text(encoding="utf-8")


def a_page(folder, ratio, gib=1.0, failure=""):
    side = SideResult([2.0], [gib], {"slices": 3}, failure)
    row = RatioRow.of("ours / peer", [] if failure else [ratio], 2.0, failure)
    result = StageResult("Training", "slices/s", 0.5, 1.0, {"ours": side}, [row])
    return write_page(folder, [result], {"processor": "Some(R) CPU", "cores": 2}, "quick").with_suffix(".json")


@pytest.mark.parametrize(
    ("ratio", "gib", "failure", "code", "word"),
    [
        (3.0, 1.0, "", 0, ""),
        (2.7, 1.0, "", 0, ""),
        (2.0, 1.0, "", 1, "WORSE"),
        (4.0, 1.0, "", 0, "better"),
        (3.0, 1.3, "", 1, "peak GiB: 1 -> 1.3"),
        (3.0, 1.0, "it broke", 1, "-> failed"),
    ],
)
def test_comparing_two_pages_shows_regressions(tmp_path, capsys, ratio, gib, failure, code, word):
    old, new = a_page(tmp_path / "old", 3.0), a_page(tmp_path / "new", ratio, gib, failure)
    assert compare.main([str(old), str(new)]) == code
    assert word in capsys.readouterr().out
    assert compare.main([str(old), str(new), "--threshold", "0.9"]) == (1 if failure else 0)


def test_what_only_one_page_has_is_listed_apart(tmp_path, capsys):
    """A whole stage that was renamed, with the target that it missed, and a side that is new."""
    old, new = a_page(tmp_path / "old", 1.25), a_page(tmp_path / "new", 3.0)
    new.write_text(new.read_text().replace('"Training"', '"Training, renamed"'))
    assert compare.main([str(old), str(new)]) == 0
    before, after = capsys.readouterr().out.split("only in the new page")
    assert "only in the old page" in before
    assert "Training: ours / peer: 1.25 (missed its target 2)" in before
    assert "Training, renamed: ours / peer: 3\n" in after
    assert "1 ratios only in the old page" in after


def test_comparing_something_else_is_one_line(tmp_path):
    (tmp_path / "no.json").write_text("{}")
    command = [sys.executable, ROOT / "benchmarks" / "compare.py", tmp_path / "no.json", tmp_path / "none.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_page_shows_sides_targets_and_failures(tmp_path):
    page = a_page(tmp_path, 1.0).with_suffix(".md").read_text(encoding="utf-8")
    assert "**missed**" in page
    assert "slices 3" in page
    assert json.loads(a_page(tmp_path, 1.0).read_text())["format"] == 1
    page = a_page(tmp_path, 1.0, failure="it broke").with_suffix(".md").read_text(encoding="utf-8")
    assert "failed: it broke" in page


def test_names_of_machines_are_file_names():
    assert kind({"processor": "Intel(R) Xeon(R) Gold CPU @ 2.2GHz", "cores": 2}) == "2-cores-intel-xeon-gold"
    assert kind({"gpu": "NVIDIA H100 80GB HBM3", "processor": "x", "cores": 16}) == "nvidia-h100-80gb-hbm3"


def test_a_variant_within_the_range_of_seeds_passes():
    def side(mae, r=0.9, dice=0.5):
        return SideResult([mae], [1.0], {"mae_hu": mae, "pearson_r": r, "bone_dice": dice})

    sides = {"fp32, seed 0": side(90, 0.90, 0.50), "fp32, seed 1": side(94, 0.92, 0.54)}
    sides |= {"bf16, seed 0": side(91, 0.90, 0.50), "bf16, seed 1": side(95, 0.97, 0.54)}
    rows = {row.name.partition(",")[0]: row for row in _rows(sides)}
    assert rows["bf16: MAE"].median == pytest.approx(4 / 1)
    assert rows["bf16: R"].median == pytest.approx(0.02 / 0.025)
    sides["fp32, seed 1"].failure = "gone"
    assert all(row.median is None for row in _rows(sides))


def test_busy_share_counts_overlaps_once():
    assert busy_share([(0, 4), (2, 5), (8, 9)], 12) == pytest.approx(0.5)
    assert busy_share([], 12) == 0


def test_ranges_that_annotate_are_no_work_of_the_device():
    cuda, cpu = torch.autograd.DeviceType.CUDA, torch.autograd.DeviceType.CPU
    kernel = SimpleNamespace(device_type=cuda, is_user_annotation=False)
    step = SimpleNamespace(device_type=cuda, is_user_annotation=True)
    older = SimpleNamespace(device_type=cuda)
    assert device_work([kernel, step, older, SimpleNamespace(device_type=cpu)]) == [kernel, older]


def test_how_busy_a_gpu_is_counts_the_writing_of_checkpoints():
    plain = SideResult([0.99, 0.97], [1.0], {"epoch_s": 0.6})
    writing = SideResult([0.8, 0.8], [1.0], {"epoch_s": 2.1})  # 1.5 s each 30 s
    (row,) = busy_rows({"Light U-Net": plain, f"Light U-Net{WRITING}": writing})
    assert (row.minimum, row.maximum) == (pytest.approx(0.97 * 30 / 31.5), pytest.approx(0.99 * 30 / 31.5))
    writing.failure = "out of memory"
    (row,) = busy_rows({"Light U-Net": plain, f"Light U-Net{WRITING}": writing})
    assert (row.median, row.failure) == (None, "out of memory")


def test_compiling_pays_after_its_cost_over_the_gain_of_a_step():
    sides = {
        "ours": SideResult([6400.0], [1.0], {"first_step_s": 1.0}),  # 20 ms a step of 128
        "compiled": SideResult([8000.0], [1.0], {"first_step_s": 41.0}),  # 16 ms
    }
    (text,) = _compiling([StageResult("Levers", "slices/s", 0.0, 1.0, sides, [])])
    assert "takes 40.0 s longer, each further one 4.00 ms less; compiling pays for itself after 10000 steps" in text
    sides["compiled"].values = [6000.0]
    assert "never" in _compiling([StageResult("Levers", "slices/s", 0.0, 1.0, sides, [])])[0]


def test_later_rounds_are_forked_and_only_the_first_tells_memory_and_details(tmp_path):
    side = Side(f"{SIDES}:counting", {"path": str(tmp_path / "calls")})
    result = quietly(made_up_stage(sides={"ours": side}, ratios=[]), repeats=3).sides["ours"]
    assert (result.values, result.details, len(result.peaks_gib)) == ([1.0, 2.0, 3.0], {"call": 1}, 1)


def test_the_bill_is_forty_cells_of_each_combination():
    cell = {
        "model": "light_unet",
        "loss": "mae",
        "seconds": 54.0,
        "training_s": 50.0,
        "stands_in": False,
        "epochs": 20,
        "train_slices_per_s": 8000.0,
        "mae_hu": 95.0,
        "bone_dice": None,
    }
    assert "360 cells (9 of 9 combinations, 10 seeds, 4 folds): 5.40 GPU-hours (at most 6: met)" in bill([cell] * 9)


def test_the_prediction_peer_does_what_we_do():
    """Of a network that changes nothing, both bring back the volume inside the masks, up to their resizing."""
    from benchmarks.peers.monai_prediction import predict_planes
    from sct.slices.planes import restore
    from sct.synthesis.mr_mask import mask_from_region
    from sct.synthesis.volume_inference import BatchPredictor, square_frames

    shape, planes = (20, 26, 22), ("sagittal", "coronal", "axial")
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random(shape), 2)
    gray = np.asarray((noise - noise.min()) / np.ptp(noise), np.float32)
    grid = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    head = mask_from_region(sum(axis**2 for axis in grid) < 0.7)
    masks = [torch.from_numpy(restore(head.slices[plane], plane).copy()) for plane in planes]
    theirs, n_slices = predict_planes(torch.from_numpy(gray), masks, torch.nn.Identity(), 64, batch=5)
    assert n_slices == sum(int(part.any((1, 2)).sum()) for part in head.slices.values())
    predictor = BatchPredictor(torch.nn.Identity(), torch.device("cpu"), "float32")
    for plane, volume, mask in zip(planes, theirs, masks, strict=True):
        mine = square_frames(gray, head.slices[plane], plane, 64).predict(predictor)
        deep = ndimage.binary_erosion(mask.numpy(), iterations=2)  # at the edge, resizing mixes in what is masked
        for one, other in ((mine, gray), (volume.numpy(), gray), (mine, volume.numpy())):
            assert float(np.abs(one - other)[deep].mean()) < 0.02 * float(np.ptp(gray[deep]))


def test_every_cell_is_a_step_of_its_own():
    steps = _one_by_one(STEPS)
    assert steps[:-9] == list(STEPS[:-1])
    assert {tuple(step.split(":")[1:]) for step in steps[-9:]} == {(m, loss) for m in MODELS for loss in LOSSES}
    assert _one_by_one(["cells:vgg_unet", "limits"]) == [*(f"cells:vgg_unet:{loss}" for loss in LOSSES), "limits"]


@pytest.mark.slow
def test_all_stages_run_in_their_smallest_sizes(tmp_path):
    words = ["--tiny", "--repeats", "1", "--device", "cpu", "--out", str(tmp_path)]
    modules = ["limits", "training", "preparation", "metrics", "prediction", "surface", "startup"]
    modules += ["growth", "equivalence"]
    command = [sys.executable, "-m", "benchmarks", *modules, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert all(row["median"] is not None for stage in page["stages"] for row in stage["ratios"])


@pytest.mark.slow
def test_the_gpu_script_runs_step_by_step_on_a_cpu(tmp_path):
    for steps in (["cohort", "profile"], ["several", "cells:light_unet:mae", "cells:vgg_unet_tl:mix"]):
        words = [str(tmp_path / "out"), *steps, "--tiny", "--work", str(tmp_path / "work"), "--repeats", "1"]
        command = [sys.executable, ROOT / "benchmarks" / "gpu.py", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in (tmp_path / "out").glob("*.json")}
    assert {"cohort.json", "profile.json", "several.json", "cell-light_unet-mae.json"} <= names
    assert "80 cells (2 of 9 combinations" in next((tmp_path / "out").glob("*.md")).read_text()


def test_every_stage_can_be_planned(tmp_path):
    import importlib

    from benchmarks.__main__ import FULL

    for name in FULL:
        for device in ("cpu", "cuda"):
            for stage in importlib.import_module(f"benchmarks.{name}").stages(Plan(tmp_path, device=device)):
                for side in stage.sides.values():
                    module, _, function = side.function.partition(":")
                    assert callable(getattr(importlib.import_module(module), function))
                assert {ratio.ours for ratio in stage.ratios} <= set(stage.sides)
                assert {r.peer for r in stage.ratios if isinstance(r.peer, str)} <= set(stage.sides)
