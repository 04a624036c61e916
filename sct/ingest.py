"""`python -m sct.ingest DICOM_DIR OUT`: DICOM exports to a pseudonymised cohort folder."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sct._door import typer_door
from sct.core.errors import SctError

__all__ = ["main"]


def _ingest(
    dicom_dir: Annotated[Path, typer.Argument(help="Folder tree of DICOM files: any nesting, mixed series.")],
    out: Annotated[Path, typer.Argument(help="Folder of the cohort; new or empty.")],
    pairs: Annotated[
        Path | None,
        typer.Option(help="pairs.tsv: participant_id, mr, ct (series of the inventory). Proposed when not given."),
    ] = None,
    on_error: Annotated[str, typer.Option(help="At damaged files and unusable series: stop or skip.")] = "stop",
) -> None:
    """Write OUT/participants.tsv and OUT/<id>/{mr,ct}.nii.gz from DICOM files.

    Without --pairs, the headers decide; where they leave a choice, the command stops. Beside OUT it writes
    OUT-inventory.tsv (all series) and OUT-pairs.tsv (the proposal): edit the latter and give it as --pairs. Both name
    patients and stay where the DICOM files are; OUT holds voxels, vendors, field strength, technique (a guess), echo
    time, age and sex only.
    """
    from sct.cohorts.ingest import check_new_folder, write_cohort
    from sct.cohorts.inventory import write_inventory
    from sct.cohorts.pairs import of_two_patients, read_pairs, write_pairs
    from sct.cohorts.proposal import propose_pairs
    from sct.core.files import check_writable
    from sct.io.dicom_series import read_tree

    if on_error not in ("stop", "skip"):
        raise SctError(f"--on-error {on_error}: stop or skip was expected")
    check_new_folder(out)
    check_writable(out.parent)
    tree = read_tree(dicom_dir)
    series = tree.series
    if tree.passed_over:
        print(f"passed over: {_names(tree.passed_over, dicom_dir)}, no DICOM images")
    if tree.damaged and on_error == "stop":
        raise SctError(f"{tree.damaged[0]}; {len(tree.damaged)} such files; --on-error skip passes them over")
    for line in tree.damaged:
        print(f"passed over: {line}")
    if not series:
        raise SctError(f"{dicom_dir}: no DICOM images in it")
    by_key = {one.key: one for one in series}
    inventory = out.with_name(f"{out.name}-inventory.tsv")
    if pairs is None:
        proposal = propose_pairs(series)
        pairs_file = out.with_name(f"{out.name}-pairs.tsv")
        if pairs_file.exists():
            raise SctError(f"{pairs_file}: exists; give it as --pairs, or remove it for a new proposal")
        write_inventory(inventory, series)
        write_pairs(pairs_file, proposal.pairs)
        print(f"{inventory}: {len(series)} series\n{pairs_file}: {len(proposal.pairs)} pairs")
        if proposal.open_questions:
            print("\n".join(proposal.open_questions))
            first, *others = proposal.open_questions
            raise SctError(
                f"{pairs_file}: check it against the inventory, then give it as --pairs; {first}"
                + (f"; and {len(others)} more, above" if others else "")
            )
        chosen = proposal.pairs
    else:
        chosen = read_pairs(pairs, by_key)
        for participant_id in of_two_patients(chosen, by_key):
            print(
                f"warning: {pairs}: MR and CT of {participant_id} are of two patients by their headers", file=sys.stderr
            )
    left_out = write_cohort(out, chosen, by_key, skip_errors=on_error == "skip")
    print(f"{out}: {len(chosen) - len(left_out)} participants; technique is guessed from echo time and names")
    for participant_id, reason in left_out.items():
        print(f"left out {participant_id}: {reason}")


def _names(paths: Sequence[Path], folder: Path, shown: int = 5) -> str:
    """How many files, and the first of them."""
    names = ", ".join(str(path.relative_to(folder)) for path in paths[:shown])
    more = f" and {len(paths) - shown} more" if len(paths) > shown else ""
    return f"{len(paths)} files ({names}{more})"


def main() -> None:
    """The door's entry point."""
    typer_door(_ingest)


if __name__ == "__main__":
    main()
