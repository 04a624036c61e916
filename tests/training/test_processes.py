"""Two processes: the same sums from the same weights, and one set of files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import torch
from short_training import make_data, make_task, make_trainer, run_callbacks
from sct.preparation.store import SliceStore
from sct.training.checkpoint import read_checkpoint

folder, devices = Path(sys.argv[1]), int(sys.argv[2])
store = SliceStore(folder / "store")
strategy = "ddp" if devices > 1 else "auto"
task, run = make_task(), folder / f"run-{{devices}}"
trainer = make_trainer(1, devices=devices, strategy=strategy)
trainer.test(task, datamodule=make_data(store, batch_size=5), verbose=False)
before = {{"/".join(key): row for key, row in task.test_sums.rows.items()}}
trainer = make_trainer(2, run_callbacks(run), devices=devices, strategy=strategy)
trainer.fit(task, datamodule=make_data(store, batch_size=7))
if trainer.is_global_zero:
    (folder / f"sums-{{devices}}.json").write_text(json.dumps(before))
"""


@pytest.mark.slow
def test_two_processes_sum_what_one_sums_and_train_alike(tmp_path):
    from tiny_store import write_store

    write_store(tmp_path / "store")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(here=str(Path(__file__).parent)))
    for devices in (1, 2):
        done = subprocess.run(
            [sys.executable, script, tmp_path, str(devices)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = (json.loads((tmp_path / f"sums-{devices}.json").read_text()) for devices in (1, 2))
    assert one.keys() == two.keys()
    for key in one:
        exact = [name for name in one[key] if name.split("_")[1] in ("n", "x", "xx", "ref", "slices")]
        assert {name: one[key][name] for name in exact} == {name: two[key][name] for name in exact}
        assert two[key]["frame_abs"] == pytest.approx(one[key]["frame_abs"], rel=1e-4)
    for devices in (1, 2):
        names = sorted(path.name for path in (tmp_path / f"run-{devices}").iterdir())
        assert names == ["best.ckpt", "last.ckpt", "metrics.csv"]
