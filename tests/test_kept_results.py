"""Results that are kept: every figure is still the function of its sums."""

import json
from pathlib import Path

import pytest
import yaml

from sct.core.figures import figures
from sct.core.sums import SumsTable

CELLS = sorted(Path(__file__).parents[1].glob("experiments/*/cells/*/*/*/*/seed-*/fold-*"))


def test_there_are_some():
    assert len(CELLS) > 20


@pytest.mark.parametrize("cell", CELLS, ids=lambda path: "/".join(path.parts[-6:]))
def test_figures_follow_from_the_kept_sums(cell):
    kept = json.loads((cell / "metrics.json").read_text())
    config = yaml.safe_load((cell / "config.yaml").read_text())
    assert (config["fold"], config["seed"]) == (int(cell.name[5:]), int(cell.parent.name[5:]))
    found = figures(SumsTable.read_csv(cell / "sums.csv").pooled(), config["metrics"]["thresholds"])
    assert json.loads(json.dumps({key: found[key] for key in found})) == {key: kept[key] for key in found}
