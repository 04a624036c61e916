"""One participant from volumes to store."""

from pathlib import Path

import numpy as np

from sct.cohorts.cohort import Participant
from sct.core.errors import SctError
from sct.preparation.contact_sheet import write_contact_sheet
from sct.preparation.pair import load_pair
from sct.preparation.settings import PrepareSettings
from sct.preparation.slicing import choose_slices, render
from sct.preparation.store import Geometry, ParticipantRecord, SliceStore, write_participant
from sct.slices.planes import PLANES

__all__ = ["BadParticipantError", "contact_sheet_path", "prepare_participant"]


class BadParticipantError(SctError):
    """A participant whose data cannot be used; unlike a full disk, which is nobody's data."""


def contact_sheet_path(folder: Path, participant_id: str) -> Path:
    """Where a store keeps a participant's contact sheet."""
    return Path(folder) / "contact-sheets" / f"{participant_id}.png"


def prepare_participant(
    participant: Participant, settings: PrepareSettings, folder: Path, fingerprint: str, with_sheet: bool = True
) -> None:
    """Prepare one participant and write it to the store, with its contact sheet.

    Args:
        participant: Its files.
        settings: What decides the slices.
        folder: The store.
        fingerprint: Of `participant` and `settings` (`sct.preparation.fingerprint.fingerprint_of`).
        with_sheet: Whether to draw the contact sheet, which needs Pillow.

    Raises:
        BadParticipantError: Its volumes cannot be used, or give no usable slice.
        SctError: The store cannot be written.
    """
    name = participant.participant_id
    try:
        pair = load_pair(participant, settings)
        slices, left_out = choose_slices(pair, settings)
    except SctError as error:
        raise BadParticipantError(f"{name}: {error}") from error
    reasons = {reason: sum(n for (_, r), n in left_out.items() if r == reason) for _, reason in sorted(left_out)}
    if not slices:
        listed = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        raise BadParticipantError(f"{name}: {participant.ct}: no slice with usable content ({listed})")
    frames = [one.frame for one in slices]
    record = ParticipantRecord(
        participant_id=name,
        fingerprint=fingerprint,
        settings=settings.to_plain(),
        geometry=Geometry(pair.ct_hu.shape, pair.affine, settings.spacing_mm),
        mr_range=pair.mr_range,
        planes=np.asarray([PLANES.index(one.plane) for one in slices], np.int64),
        indices=np.asarray([one.index for one in slices], np.int64),
        rows=np.asarray([frame.row for frame in frames], np.int64),
        cols=np.asarray([frame.col for frame in frames], np.int64),
        sides=np.asarray([frame.side for frame in frames], np.int64),
        columns=participant.columns,
        left_out={plane: sum(n for (p, _), n in left_out.items() if p == plane) for plane in PLANES},
        left_out_reasons=reasons,
        registration=pair.registration,
    )
    sheet = contact_sheet_path(folder, name)
    sheet.unlink(missing_ok=True)  # never an old picture beside new slices
    write_participant(folder, record, render(pair, slices, settings))
    if with_sheet:
        write_contact_sheet(SliceStore(folder, [name]).participant(name), sheet)
