"""`python -m sct.phantom OUT`: a cohort of procedural heads, written as NIfTI in the layout of real cohorts."""

from pathlib import Path
from typing import Annotated

import typer

from sct._door import typer_door

__all__ = ["main"]


def _phantom(
    out: Annotated[Path, typer.Argument(help="Folder of the cohort; made when missing.")],
    participants: Annotated[
        int | None, typer.Option(help="Number of participants [default: 8, or all of a preset].", show_default=False)
    ] = None,
    spacing_mm: Annotated[
        float | None, typer.Option(help="CT voxel edge in mm [default: 2, or 1 for a preset].", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    displaced: Annotated[bool, typer.Option("--displaced", help="Displace the MR and write landmarks.tsv.")] = False,
    preset: Annotated[
        str | None, typer.Option(help="Fixed table of participants: phantom39 or phantom39_inst1.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; one per core when not given.")] = None,
) -> None:
    """Write a cohort of procedural head phantoms: OUT/participants.tsv and OUT/<id>/{mr,ct}.nii.gz.

    Finished participants of the same settings are kept, so an interrupted command may simply be repeated.
    """
    from sct.head_phantom.cohort import write_phantom_cohort
    from sct.head_phantom.settings import PRESETS, PhantomSettings

    if participants is None:
        participants = PRESETS.get(preset, 8) if preset else 8
    if spacing_mm is None:
        spacing_mm = 1.0 if preset else 2.0
    settings = PhantomSettings(participants, spacing_mm, seed, preset, displaced)
    write_phantom_cohort(out, settings, jobs)
    print(f"{out}: {participants} participants")


def main() -> None:
    """The door's entry point."""
    typer_door(_phantom)


if __name__ == "__main__":
    main()
