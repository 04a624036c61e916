"""`sct NAME ...` is `python -m sct.NAME ...` for every door."""

import difflib
import importlib
import sys
from pathlib import Path

__all__ = ["main"]

DOORS = {
    "phantom": "write a cohort of procedural heads as NIfTI",
    "ingest": "DICOM exports -> cohort folder",
    "prepare": "volumes -> slice store",
    "run": "train and test: folds, sweeps, experiments",
    "ledger": "which cells of an experiment are done, running, failed, missing",
    "summarize": "tables, tests, figures and the HTML report",
    "predict": "MR volume -> synthetic CT volume",
    "surface": "bone meshes and their deviation",
    "export": "a checkpoint's network as ONNX",
}


def main() -> None:
    """Hand the remaining arguments to the door that the first one names."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in {"-h", "--help"}:
        print("usage: sct COMMAND ...   (sct COMMAND --help tells more)\n")
        for name, text in DOORS.items():
            print(f"  {name:<10} {text}")
        return
    name = arguments[0]
    if name not in DOORS:
        nearest = difflib.get_close_matches(name, DOORS, n=1) or list(DOORS)
        print(f"error: sct {name}: no such command; did you mean {', '.join(nearest)}?", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"sct {name}", *arguments[1:]]
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does: one's own losses and networks lie in the folder of the call
    importlib.import_module(f"sct.{name}").main()


if __name__ == "__main__":
    main()
