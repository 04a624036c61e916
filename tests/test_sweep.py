"""The words of a command line stand for the same cells as Hydra's own sweeper gives, each once."""

import itertools
import shlex
import shutil

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

import sct._door
from sct._cells import folds_of, job_cells
from sct._door import config_folder, register_resolvers
from sct._participants import values_of_column
from sct._sweep import command_for, plan_cells, sweeps_of
from sct.core.errors import SctError
from sct.study.cells import Cell

GRID = [
    "-m",
    "model=light_unet,vgg_unet,log_inversion",
    "loss=mae,mix",
    "seed=0,2",
    "fold=0,1,2,3",
    "experiment.name=t",
]


@pytest.fixture
def own_experiments(tmp_path, monkeypatch):
    """The configuration with experiments of our own beside those that ship."""
    folder = tmp_path / "conf"
    shutil.copytree(config_folder(), folder)
    (folder / "experiment" / "small.yaml").write_text(
        "# @package _global_\n"
        "# python -m sct.run experiment=small\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
        "      model: light_unet,threshold\n      loss: mae,mse\n      seed: range(0,3)\n      fold: 0,1,2,3\n"
        "experiment:\n  name: small\n  column: null\n  value: null\n  condition: null\n"
    )
    (folder / "experiment" / "subsets.yaml").write_text(
        "# @package _global_\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
        "      experiment.condition: baseline,separate,augmented\n      seed: 0,1\n"
        "experiment:\n  name: ${.column}-${.value}-${.condition}\n  column: institution\n  value: all\n"
        "  condition: baseline\n"
    )
    monkeypatch.setattr(sct._door, "config_folder", lambda: folder)


def cells_of(words, config_name="run"):
    return [planned.cell for planned in plan_cells(words, config_name).cells]


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "model=light_unet,log_inversion", "loss=mae,mix", "seed=0,2", "fold=1,3"],
        ["loss=mix", "loss.alpha=1,4.4", "seed=range(0,2)"],
        ["fold=[0,2]", "seed=5"],
        ["model=threshold", "fold=all,1"],
        [],
    ],
)
def test_cells_are_those_of_hydras_sweeper_composed_one_by_one(words):
    register_resolvers()
    parsed = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    jobs = list(itertools.chain(*BasicSweeper.split_arguments(parsed, None)))
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        truth = [cell for job in jobs for _, cell in job_cells(compose("run", job))]
    assert set(cells_of(words)) == set(truth)
    assert len(cells_of(words)) == len(set(truth))


def test_a_baseline_is_never_multiplied():
    cells = cells_of(GRID)
    assert len(cells) == 2 * 2 * 2 * 4 + 4
    fitted = [cell for cell in cells if cell.model == "log_inversion"]
    assert fitted == [Cell("phantom", "t", "log_inversion", "none", 0, fold) for fold in range(4)]


def test_the_papers_table_is_360_cells_and_any_axis_can_be_narrowed():
    assert len(cells_of(["experiment=table"])) == 3 * 3 * 10 * 4
    narrowed = cells_of(["experiment=table", "cohort=phantom", "seed=0,1", "model=light_unet,log_inversion"])
    assert len(narrowed) == 3 * 2 * 4 + 4
    assert {cell.experiment for cell in narrowed} == {"table"}


def test_an_experiment_that_is_a_sweep_needs_no_flag(own_experiments):
    plan = plan_cells(["experiment=small"])
    assert len(plan.cells) == 2 * 3 * 4 + 4
    assert (plan.experiment, plan.names_cells, plan.needs_flag) == ("small", True, False)
    assert len(cells_of(["experiment=small", "seed=1", "loss=mix", "fold=all"])) == 4 + 4


def test_generalizability_has_three_conditions_for_each_value(own_experiments):
    plan = plan_cells(["experiment=subsets"])
    names = list(dict.fromkeys(planned.cell.experiment for planned in plan.cells))
    conditions = ("baseline", "separate", "augmented")
    assert sorted(names) == sorted(f"institution-{value}-{name}" for value in "12" for name in conditions)
    separate = [planned.cell for planned in plan.cells if planned.cell.experiment == "institution-1-separate"]
    assert [(cell.seed, cell.fold) for cell in separate] == [(0, 0), (1, 0)]
    assert len(plan.cells) == 2 * 2 * (4 + 1 + 4)
    assert plan.experiment == "subsets"
    assert {c.experiment for c in cells_of(["experiment=subsets", "experiment.value=2"])} == {
        f"institution-2-{name}" for name in conditions
    }


def test_values_come_from_the_cohorts_table(own_experiments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = plan_cells(["experiment=subsets", "cohort=phantom39"]).config
    assert values_of_column(config, "technique") == ["GRE", "UTE", "ZTE"]
    with pytest.raises(
        SctError, match=r"experiment\.column=institutoin: not in participants\.tsv; did you mean institution"
    ):
        cells_of(["experiment=subsets", "experiment.column=institutoin"])
    one = plan_cells(["experiment=subsets", "cohort=phantom39", "+cohort.where.institution=1"])
    assert {planned.cell.experiment.split("-")[1] for planned in one.cells} == {"1"}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment=table,alpha"], "two experiments at once"),
        (["seed=one"], "seed=one: give a whole number"),
        (["seed=-1"], "seed=-1"),
        (["fold=4"], "fold=4: give all, or numbers from 0 to 3"),
        (["fold=[]"], "names no fold"),
        (["fold=some"], "fold=some"),
        (["experiment.name=../up"], r"experiment\.name"),
        (["seed=interval(0,1)"], "only choices and ranges"),
        (["seed=range(0,0)"], r"seed=range\(0,0\): stands for no value"),
        (["seed=glob(*)"], "stands for no value"),
    ],
)
def test_mistakes_are_one_line(words, line):
    with pytest.raises(SctError, match=line) as caught:
        plan_cells(words)
    assert "\n" not in str(caught.value)


def test_folds():
    assert folds_of("all", 3) == [0, 1, 2]
    assert folds_of(2, 3) == [2]
    assert folds_of([2, 0], 3) == [2, 0]
    with pytest.raises(SctError, match="fold=True"):
        folds_of(True, 3)


def test_the_printed_command_makes_the_missing_cells_and_no_more_than_its_axes():
    plan = plan_cells(GRID)
    cells = [planned.cell for planned in plan.cells]
    missing = [cell for cell in cells if cell.model == "vgg_unet" and cell.loss == "mae" and cell.fold in {1, 3}]
    command = command_for(plan, missing)
    assert command == ("python -m sct.run -m model=vgg_unet loss=mae seed=0,2 fold=1,3 experiment.name=t")
    assert cells_of(command.split()[3:]) == missing
    for chosen in (cells[:1], cells[-1:], cells, [cells[0], cells[-1]]):
        again = cells_of(shlex.split(command_for(plan, chosen))[3:])
        assert set(chosen) <= set(again) <= set(cells)


def test_baselines_are_swept_once_for_all_losses_and_seeds(own_experiments):
    for words in (GRID, ["experiment=small"], ["-m", "model=log_inversion,threshold", "loss=mae,mse", "seed=0,1"]):
        plan = plan_cells(words)
        fitted, *trained = sweeps_of(plan, words)
        swept = [plan_cells(sweep) for sweep in (fitted, *trained)]
        assert {planned.cell.loss for planned in swept[0].cells} == {"none"}
        assert sorted(cell.cell for one in swept for cell in one.cells) == sorted(cell.cell for cell in plan.cells)
        parsed = OverridesParser.create().parse_overrides([word for word in fitted if word != "-m"])
        jobs = list(itertools.chain(*BasicSweeper.split_arguments(parsed, None)))
        assert len(jobs) <= len(swept[0].cells)
    words = ["-m", "loss=mae,mse", "seed=0,1"]
    assert sweeps_of(plan_cells(words), words) == [words]


def test_the_printed_command_of_an_experiment_is_short(own_experiments):
    plan = plan_cells(["experiment=small"])
    cells = [planned.cell for planned in plan.cells]
    assert command_for(plan, cells) == "python -m sct.run experiment=small"
    assert (
        command_for(plan, cells[:3]) == "python -m sct.run experiment=small model=light_unet loss=mae seed=0 fold=0,1,2"
    )
    many = plan_cells(["experiment=small", "seed=range(0,9)"])
    assert command_for(many, [p.cell for p in many.cells]) == "python -m sct.run experiment=small 'seed=range(0,9)'"


def test_ten_thousand_cells_need_few_compositions(own_experiments, monkeypatch):
    import hydra

    composed = []
    original = hydra.compose
    monkeypatch.setattr(hydra, "compose", lambda *args, **named: composed.append(args) or original(*args, **named))
    assert len(cells_of(["experiment=small", "seed=range(0,1250)"])) == 10_000 + 4
    assert len(composed) == 1 + 2 * 2


def test_a_surrounding_hydra_application_is_left_as_it_was():
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        plan_cells([])
        assert GlobalHydra.instance().hydra is before
