"""Runs the sides of a comparison in turns, each in a process of its own, and keeps speeds, memory and failures.

A benchmark module offers `stages(plan)`; a stage has sides, functions of a module that are called in a child process
and return their speed, and ratios of sides. Each round runs every side once, one after the other, so that a machine
that slows down slows all of them; ratios are taken within a round.
"""

import contextlib
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

from benchmarks.child import answer
from benchmarks.memory import TreePeak

__all__ = [
    "Plan",
    "Ratio",
    "RatioRow",
    "Side",
    "SideResult",
    "Stage",
    "StageResult",
    "end_children_when_ended",
    "load_once",
    "run_side",
    "run_stage",
]

_FORKED = get_context("forkserver")


@dataclass(frozen=True)
class Plan:
    """How much to run, and where.

    Attributes:
        scratch: Folder for what is made once and shared by stages; removed at the end.
        full: Longer, with the stages that take long.
        tiny: Smallest sizes, to test the benchmarks themselves; the figures mean nothing.
        device: `cpu` or `cuda`.
        threads: Threads on the CPU.
    """

    scratch: Path
    full: bool = False
    tiny: bool = False
    device: str = "cpu"
    threads: int = 2


@dataclass(frozen=True)
class Side:
    """A function called in a child process: `module:function`, with arguments of plain types.

    It returns a number, or a mapping with `value` and anything else worth keeping. `environment` is added to the
    child's, which then starts anew: for what libraries read when they are loaded.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ratio:
    """How many times better one side is.

    Attributes:
        ours: Name of a side.
        peer: Name of the other, a limit in the stage's unit (or in GiB), or None: the value is a ratio already.
        target: Least ratio wanted.
        of: `value`, or `peak`, the memory: the less the better.
        name: What the row is called; made of the sides' names by default.
    """

    ours: str
    peer: str | float | None = None
    target: float | None = None
    of: Literal["value", "peak"] = "value"
    name: str = ""

    @property
    def label(self) -> str:
        """The row's name."""
        if self.name:
            return self.name
        if self.peer is None:
            return self.ours
        text = f"{self.ours} / {self.peer}" if isinstance(self.peer, str) else f"{self.ours}, limit {self.peer:g}"
        return f"{text} (memory, GiB)" if self.of == "peak" else text


@dataclass
class SideResult:
    """What the rounds of a side gave.

    Attributes:
        values: One per round, in the stage's unit.
        peaks_gib: Peak memory of its processes together, in the rounds in which they started anew.
        details: What else the first round told, in which nothing was done before.
        failure: Why it failed; empty when it did not.
    """

    values: list[float] = field(default_factory=list)
    peaks_gib: list[float] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True)
class RatioRow:
    """A ratio over the rounds, None where a side failed; `note` says what else is worth reading."""

    name: str
    minimum: float | None
    median: float | None
    maximum: float | None
    target: float | None = None
    failure: str = ""
    note: str = ""

    @classmethod
    def of(cls, name: str, ratios: Sequence[float], target: float | None = None, failure: str = "") -> "RatioRow":
        """The row of one ratio per round."""
        if not ratios:
            return cls(name, None, None, None, target, failure or "no measurement")
        return cls(name, min(ratios), statistics.median(ratios), max(ratios), target, failure)


@dataclass(frozen=True)
class Stage:
    """A comparison.

    Attributes:
        name: Its title.
        unit: Of the sides' values: seconds (`s`: the less the better), or anything that the more is the better.
        sides: What is run, in this order.
        ratios: What is compared.
        limit_s: Time box: no further round starts that would not end within it, and no side may take longer.
        setup: Run once before, in a child process.
        rounds: Most rounds, whatever is asked for; None for what is asked for.
        derive: Makes further rows of all sides, when ratios of two sides do not say it.
    """

    name: str
    unit: str
    sides: Mapping[str, Side]
    ratios: Sequence[Ratio] = ()
    limit_s: float = 300.0
    setup: Side | None = None
    rounds: int | None = None
    derive: Callable[[Mapping[str, SideResult]], list[RatioRow]] | None = None


@dataclass
class StageResult:
    """A stage's sides and ratios, and how busy the machine was before it (load average over a minute)."""

    name: str
    unit: str
    load: float
    seconds: float
    sides: dict[str, SideResult]
    ratios: list[RatioRow]

    def to_json(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def end_children_when_ended() -> None:
    """A plain `kill` of this process then ends its child too, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def run_stage(stage: Stage, repeats: int, threads: int, say: Callable[[str], None] = print) -> StageResult:
    """Run a stage; a side that fails is a row that says why, and the others go on."""
    start, load = time.monotonic(), os.getloadavg()[0]
    results = {name: SideResult() for name in stage.sides}
    if stage.setup is not None:
        done = run_side(stage.setup, threads, stage.limit_s)
        if done.failure:
            for result in results.values():
                result.failure = f"setup: {done.failure}"
    rounds_start, longest = time.monotonic(), 0.0
    for number in range(stage.rounds or repeats):
        began = time.monotonic()
        if number and began - rounds_start + longest > stage.limit_s:
            say(f"  time box of {stage.limit_s:.0f} s: {number} rounds")
            break
        for name, side in stage.sides.items():
            if results[name].failure:
                continue
            _keep(results[name], run_side(side, threads, stage.limit_s, anew=number == 0))
            say(f"  {name}: {_last(results[name], stage.unit)}")
        longest = max(longest, time.monotonic() - began)
    rows = [_row(ratio, stage.unit, results) for ratio in stage.ratios]
    if stage.derive is not None:
        rows += stage.derive(results)
    return StageResult(stage.name, stage.unit, load, time.monotonic() - start, results, rows)


def load_once(modules: Sequence[str], threads: int) -> None:
    """Have these modules imported once, before the children are forked, instead of by each.

    Not with a GPU: a child cannot use CUDA when an import of its parent has touched it.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when the libraries are loaded
    _FORKED.set_forkserver_preload(list(modules))


def run_side(side: Side, threads: int, limit_s: float, anew: bool = True) -> SideResult:
    """One call in a child process.

    Args:
        side: What is called.
        threads: On the CPU.
        limit_s: It is ended after so long.
        anew: Start Python anew, instead of forking a process that has the libraries, whose memory is not all its own.
    """
    anew = anew or bool(side.environment)
    context = get_context("spawn") if anew else _FORKED
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(sender, side.function, dict(side.arguments), threads))
    # several threads may be at it, and the environment is everybody's
    with patch.dict(os.environ, side.environment) if side.environment else contextlib.nullcontext():
        process.start()
    sender.close()
    assert process.pid is not None
    with TreePeak(process.pid) as peak:
        try:
            found = receiver.recv() if receiver.poll(limit_s) else {"failure": f"longer than {limit_s:.0f} s"}
        except EOFError:
            process.join()
            found = {"failure": f"ended with code {process.exitcode}"}
        finally:
            _end(process)
    if "failure" in found:
        return SideResult(failure=found["failure"])
    own_gib = found.pop("peak_gib")
    return SideResult([float(found.pop("value"))], [max(peak.gib, own_gib)] if anew else [], found)


def _end(process: BaseProcess) -> None:
    """End the child and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
    process.kill()  # it may not lead a group yet
    process.join()


def _keep(result: SideResult, new: SideResult) -> None:
    result.values += new.values
    result.peaks_gib += new.peaks_gib
    result.details = result.details or new.details
    result.failure = new.failure


def _last(result: SideResult, unit: str) -> str:
    return result.failure or f"{result.values[-1]:.3g} {unit}, {max(result.peaks_gib):.2f} GiB"


def _row(ratio: Ratio, unit: str, results: Mapping[str, SideResult]) -> RatioRow:
    ours = results[ratio.ours]
    failures = [f"{ratio.ours}: {ours.failure}"] if ours.failure else []
    mine = ours.peaks_gib if ratio.of == "peak" else ours.values
    if isinstance(ratio.peer, str):
        peer = results[ratio.peer]
        failures += [f"{ratio.peer}: {peer.failure}"] if peer.failure else []
        theirs = peer.peaks_gib if ratio.of == "peak" else peer.values
    else:
        theirs = [1.0 if ratio.peer is None else ratio.peer] * len(mine)
    less_is_better = ratio.peer is not None and (ratio.of == "peak" or unit == "s")
    pairs = zip(mine, theirs, strict=False)
    ratios = [b / a if less_is_better else a / b for a, b in pairs]
    return RatioRow.of(ratio.label, ratios, ratio.target, "; ".join(failures))
