"""Run both sides of a comparison in turns, each in a process of its own, and print ratios."""

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable

__all__ = ["compare", "main_of_sides"]


def compare(module: str, ours: str, peer: str, unit: str, repeats: int, threads: int, *arguments: str) -> float:
    """Print minimum, median and maximum of both sides and the ratio of their medians, which is returned.

    Each repeat runs one side after the other, so that a machine that slows down slows both.
    """
    speeds: dict[str, list[float]] = {ours: [], peer: []}
    memory: dict[str, float] = {}
    for _ in range(repeats):
        for side in (ours, peer):
            result = _run(module, side, threads, arguments)
            speeds[side].append(result["speed"])
            memory[side] = max(memory.get(side, 0.0), result["peak_gib"])
    print(f"| side | minimum {unit} | median | maximum | peak memory GiB |")
    print("| --- | --- | --- | --- | --- |")
    for side, values in speeds.items():
        middle = statistics.median(values)
        print(f"| {side} | {min(values):.1f} | {middle:.1f} | {max(values):.1f} | {memory[side]:.2f} |")
    ratio = statistics.median(speeds[ours]) / statistics.median(speeds[peer])
    print(f"\n{ours} / {peer}: {ratio:.2f} (medians of {repeats} runs in turns, {threads} threads)\n", flush=True)
    return ratio


def main_of_sides(sides: dict[str, Callable[[], float]], side: str) -> None:
    """Body of the child process: run one side and tell its speed and peak memory."""
    speed = sides[side]()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + children
    print("RESULT " + json.dumps({"speed": speed, "peak_gib": peak / 2**20}), flush=True)


def _run(module: str, side: str, threads: int, arguments: tuple[str, ...]) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", module, "--side", side, "--threads", str(threads), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise RuntimeError(f"{side} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(lines[-1].removeprefix("RESULT "))
    return result
