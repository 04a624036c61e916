"""Training runs where only a few packages are installed."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from doors import TINY, TINY_TRAINING, Doors
from packaging.requirements import Requirement

NEEDED = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy", "scipy", "nibabel")
"""All that a training may need, but for what these themselves pull in."""

START = """
import sys
sys.path[:0] = {paths}
for name in {absent}:
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{{name}} is there: nothing is tested")
from sct.run import main
main()
"""
ABSENT = (
    "SimpleITK", "pyvista", "wandb", "segmentation_models_pytorch", "matplotlib", "pandas", "PIL", "monai", "skimage",
    "typer", "pydicom", "onnx", "torchvision", "ipyniivue", "safetensors", "tensorboard", "submitit",
)  # fmt: skip
"""What some other door needs; not jinja2, which comes with torch."""


def closure(wanted: list[Requirement]) -> set[str]:
    """Installed distributions that requirements lead to, by the markers and extras of this environment."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            try:
                found.add(distribution(requirement.name).name)
            except PackageNotFoundError:  # an extra that nobody installed
                continue
            for line in distribution(requirement.name).requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    wanted.append(needed)
    return found


def link_packages(names: set[str], site: Path) -> None:
    """A folder of packages that holds these distributions and no other."""
    site.mkdir()
    for name in names:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files if file.parts[0] not in {"..", "__pycache__"}}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution(name).locate_file(top))


def test_training_needs_few_packages(doors: Doors) -> None:
    """On the embedded cohort from its making to the figures; only the pictures are left out, and that is told."""
    site = doors.folder / "site-packages"
    link_packages(closure([Requirement(name) for name in NEEDED]), site)
    start = START.format(paths=[str(site), str(Path(__file__).parents[1])], absent=ABSENT)
    words = [*TINY, *TINY_TRAINING, "fold=0", "trainer.max_epochs=1"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, *words], cwd=doors.folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (doors.cell() / "metrics.json").exists()
    assert (doors.cell() / "examples.npz").exists()
    assert not (doors.cell() / "figure.png").exists()
    for line in ("without contact sheets: ", "without the pictures of examples: "):
        assert done.stderr.count(line) == 1, done.stderr
    assert "Traceback" not in done.stderr
