"""From the words of a command line to the list of cells they stand for; shared by the doors run, ledger and summarize.

Hydra's own parser reads the words and the experiment's `hydra.sweeper.params` exactly as its sweeper does. Composing a
configuration costs a tenth of a second, so one is composed for each combination of everything but seed and fold, and
these two are put in: ten thousand cells in seconds.
"""

import itertools
import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sct._cells import CellTemplate, cell_templates, kept_config
from sct._door import SWEEP_FLAGS
from sct.core.errors import SctError
from sct.study.cells import Cell
from sct.study.configuration import first_difference, scientific

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["Plan", "PlannedCell", "command_for", "plan_cells", "sweeps_of", "words_door"]

_CELL_KEYS = {"model", "loss", "seed", "fold"}
_INNER_KEYS = {"seed", "fold"}


@dataclass(frozen=True)
class PlannedCell:
    """A cell and the words, one value for each key, that make it."""

    cell: Cell
    words: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """What a command line stands for.

    Attributes:
        config: The composed configuration of the first job, with Hydra's own node.
        arguments: The words as given, without flags.
        axes: Every swept or overridden key with its values, in order.
        cells: The cells, each once, in the sweep's order.
        names_cells: Whether the words choose cells (a sweep, or a value for model, loss, seed or fold); without, they
            only say where to look.
        needs_flag: Whether several jobs take `-m`, because the experiment is no sweep of its own.
    """

    config: "DictConfig"
    arguments: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]
    cells: tuple[PlannedCell, ...]
    names_cells: bool
    needs_flag: bool

    @property
    def experiment(self) -> str:
        """The experiment's name, or of several names what they have in common: the choice, or the column."""
        names = {planned.cell.experiment for planned in self.cells}
        if len(names) == 1:
            return names.pop()
        if "experiment" in self.axes and "experiment.column" not in self.axes:
            return self.axes["experiment"][0]
        return str(self.config.experiment.column)


def plan_cells(
    arguments: Sequence[str], config_name: str = "run", check: "Callable[[DictConfig], None] | None" = None
) -> Plan:
    """Expand the words of a command line.

    Args:
        arguments: Hydra overrides; the flags -m and --multirun are allowed and change nothing.
        config_name: The door's configuration in `conf/`.
        check: Looks at the configuration of each combination of everything but seed and fold.

    Raises:
        SctError: Two experiments at once; a seed or fold that is no such number.
        hydra.errors.HydraException: Unknown choices, keys, or grammar.
    """
    from hydra import compose

    from sct._door import check_choices

    words = [word for word in arguments if word not in SWEEP_FLAGS]
    check_choices(words)
    with _hydra() as loader:
        given = _axes(words, loader)
        if len(given.get("experiment", ())) > 1:
            raise SctError(f"experiment={','.join(given['experiment'])}: two experiments at once; give each a command")
        first = [f"{key}={values[0]}" for key, values in given.items()]
        config = compose(config_name, first, return_hydra_config=True)
        is_sweep = str(config.hydra.mode or "").upper().endswith("MULTIRUN")
        params = dict(config.hydra.sweeper.get("params") or {}) if is_sweep else {}
        axes = _axes([*(f"{key}={value}" for key, value in params.items()), *words], loader)
        cells = tuple(_planned(axes, config_name, check))
    names_cells = any(len(values) > 1 for values in axes.values()) or bool(axes.keys() & _CELL_KEYS)
    return Plan(config, tuple(words), axes, cells, names_cells, not is_sweep)


def command_for(plan: Plan, cells: Collection[Cell], door: str = "python -m sct.run") -> str:
    """One command that makes the given cells of a plan."""
    words, several = _narrowed(plan, cells)
    flag = ["-m"] if several and plan.needs_flag else []
    return " ".join([door, shlex.join([*flag, *words])]).strip()


def sweeps_of(plan: Plan, words: Sequence[str]) -> list[list[str]]:
    """The sweeps that make a plan: the words as given, but classical baselines first, once for all losses and seeds.

    Args:
        plan: The cells.
        words: The command line that it was made of.
    """
    fitted = [planned.cell for planned in plan.cells if planned.cell.loss == "none"]
    trained = [planned.cell for planned in plan.cells if planned.cell.loss != "none"]
    if not fitted or (trained and plan.config.launcher.name == "slurm"):  # there one array, and not one after another
        return [list(words)]
    flags = [word for word in words if word in SWEEP_FLAGS]
    return [[*flags, *_narrowed(plan, cells)[0]] for cells in (fitted, trained) if cells]


def _narrowed(plan: Plan, cells: Collection[Cell]) -> tuple[list[str], bool]:
    """The given words with each axis narrowed to the values that some cells need, and whether they are several jobs.

    The product of the narrowed axes may hold finished cells too; `sct.run` skips those.
    """
    chosen = set(cells)
    wanted = [planned for planned in plan.cells if planned.cell in chosen]
    given = [key for key in _keys(plan.arguments) if key in plan.axes]
    words, several = [], False
    for key in dict.fromkeys([*given, *plan.axes]):
        used = list(dict.fromkeys(planned.words[key] for planned in wanted))
        if key in given or len(used) < len(plan.axes[key]):
            words.append(f"{key}={_joined(used)}")
            several = several or len(used) > 1
    return words, several


@contextmanager
def _hydra() -> Iterator[Any]:
    """Hydra's configuration loader on `conf/`, leaving a surrounding Hydra application as it was."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    from sct._door import config_folder, register_resolvers

    register_resolvers()
    surrounding = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(config_folder()), version_base="1.3"):
            yield GlobalHydra.instance().config_loader()
    finally:
        GlobalHydra.instance().hydra = surrounding


def _axes(words: Sequence[str], loader: Any) -> dict[str, tuple[str, ...]]:
    """Values of each key in order; a later word replaces an earlier one, as in Hydra's sweeper."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    axes: dict[str, tuple[str, ...]] = {}
    for override in OverridesParser.create(config_loader=loader).parse_overrides(list(words)):
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes[key] = (override.get_value_element_as_str(),)
        elif override.is_discrete_sweep():
            axes[key] = tuple(override.sweep_string_iterator())
        else:
            raise SctError(f"{override.input_line}: only choices and ranges can be swept")
        if not axes[key]:
            raise SctError(f"{override.input_line}: stands for no value")
    return axes


def _planned(
    axes: Mapping[str, tuple[str, ...]], config_name: str, check: "Callable[[DictConfig], None] | None"
) -> Iterator[PlannedCell]:
    """Cells of the product of the axes, each once; composed without seed and fold, which are put in."""
    from hydra import compose
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    inner = [key for key in axes if key in _INNER_KEYS]
    outer = [key for key in axes if key not in _INNER_KEYS]
    parsed = [[(word, parser.parse_override(f"{key}={word}").value()) for word in axes[key]] for key in inner]
    seen: set[Cell] = set()
    settings: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(axes[key] for key in outer)):
        words = dict(zip(outer, values, strict=True))
        config = compose(config_name, [f"{key}={value}" for key, value in words.items()])
        default = {"seed": config.seed, "fold": config.fold}
        templates = list(cell_templates(config))
        if check is not None:
            check(templates[0].config)
        for template in templates:
            _check_same(settings, template)
            for choice in itertools.product(*parsed):
                put = default | {key: value for key, (_, value) in zip(inner, choice, strict=True)}
                for cell in template.cells(put["seed"], put["fold"]):
                    if cell not in seen:
                        seen.add(cell)
                        yield PlannedCell(cell, words | {k: word for k, (word, _) in zip(inner, choice, strict=True)})


def _check_same(settings: dict[str, dict[str, Any]], template: CellTemplate) -> None:
    """Refuse a sweep over what is in no cell's name: its jobs would be one cell, of the first's settings."""
    kept = kept_config(template.config)
    phantom = {f"cohort.phantom.{key}": value for key, value in (kept["cohort"].get("phantom") or {}).items()}
    now = scientific(kept) | phantom | {"cohort.root": kept["cohort"]["root"]}
    name = "/".join(template.names.values())
    difference = first_difference(settings.setdefault(name, now), now)
    if difference:
        raise SctError(
            f"{difference.replace(' before, ', ' and ').removesuffix(' now')} would be one and the same cell {name}; "
            "give each a name of its own, with experiment.name=... or model.name=..."
        )


def words_door(task: Callable[[Sequence[str]], None], config_name: str) -> None:
    """Run a door that takes the words of a whole sweep as one job: `task` gets the words as they are.

    Flags (`--help`, `--cfg job`, ...) are Hydra's own; an error of the user ends in one line, as at every door.
    """
    from sct._door import hydra_door, one_line_errors

    arguments = sys.argv[1:]
    if any(word.startswith("-") and word not in SWEEP_FLAGS for word in arguments):
        hydra_door(_no_job, config_name)
        return
    one_line_errors(lambda: task(arguments))


def _no_job(_: "DictConfig") -> None:
    raise SctError(f"{' '.join(word for word in sys.argv[1:] if word.startswith('-'))}: this command has no such flag")


def _keys(words: Sequence[str]) -> list[str]:
    return [word.partition("=")[0] for word in words]


def _joined(values: Sequence[str]) -> str:
    """Values as a sweep; a run of whole numbers as a range."""
    if len(values) > 4 and all(value.isdigit() for value in values):
        numbers = [int(value) for value in values]
        if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            return f"range({numbers[0]},{numbers[-1] + 1})"
    return ",".join(values)
