"""A cohort into a store: what is missing or has changed, in parallel processes."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sct.cohorts.cohort import Cohort, Participant
from sct.core.errors import SctError
from sct.core.optional import can_import
from sct.core.workers import WorkerDiedError, each_done, n_cores
from sct.preparation.contact_sheet import write_contact_sheet
from sct.preparation.fingerprint import fingerprint_of
from sct.preparation.lock import exclusive
from sct.preparation.participant import BadParticipantError, contact_sheet_path, prepare_participant
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore, update_columns

__all__ = ["PrepareReport", "prepare_cohort"]

_ON_ERROR = ("stop", "skip")


@dataclass(frozen=True)
class PrepareReport:
    """What a preparation did.

    Attributes:
        folder: The store.
        prepared: Participants made now.
        up_to_date: Participants that were there already.
        failed: What is wrong with each participant that was left out.
    """

    folder: Path
    prepared: list[str] = field(default_factory=list)
    up_to_date: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> SliceStore:
        """The store, restricted to the cohort's usable participants."""
        return SliceStore(self.folder, [*self.prepared, *self.up_to_date])


def prepare_cohort(
    cohort: Cohort, settings: PrepareSettings, folder: Path, jobs: int | None = None, on_error: str = "stop"
) -> PrepareReport:
    """Bring a store up to date with a cohort.

    Participants whose files and settings are unchanged are skipped. Participants of the store that the cohort does not
    have are left alone, and are not in the report's store.

    Args:
        cohort: Who.
        settings: What decides the slices.
        folder: The store; made when missing.
        jobs: Processes, one participant each at a time; None for one per core.
        on_error: `stop` at the first participant that cannot be used, or `skip` and report it.

    Raises:
        SctError: A participant cannot be used (`stop`), none can, a process died, or the store cannot be written.
    """
    if on_error not in _ON_ERROR:
        raise SctError(f"prepare.on_error={on_error}: no such choice; one of {', '.join(_ON_ERROR)}")
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise SctError(f"prepare.jobs={jobs}: a number of processes from 1, or null for one per core")
    folder = Path(folder)
    report = PrepareReport(folder, failed=dict(cohort.left_out))
    fingerprints: dict[str, str] = {}
    for participant in cohort.participants:
        try:
            fingerprints[participant.participant_id] = fingerprint_of(participant, settings)
        except SctError as error:
            _fail(report, participant, f"{participant.participant_id}: {error}", on_error)
    readable = [one for one in cohort.participants if one.participant_id in fingerprints]
    with_sheets = can_import("PIL", left_out="contact sheets")
    missing = [one for one in readable if not _is_up_to_date(one, folder, fingerprints, with_sheets)]
    if missing:
        with exclusive(folder) as is_locked:
            if is_locked:
                _remove_strays(folder)
            # another process may have made them while this one waited
            missing = [one for one in missing if not _is_up_to_date(one, folder, fingerprints, with_sheets)]
            for participant in [one for one in missing if _has_slices(one, folder, fingerprints)]:
                _refresh(participant, folder, with_sheets)
                missing.remove(participant)
            with closing(_each_prepared(missing, settings, folder, fingerprints, jobs, with_sheets)) as outcomes:
                for participant, failure in outcomes:
                    if failure is not None:
                        _fail(report, participant, str(failure), on_error)
                    else:
                        report.prepared.append(participant.participant_id)
    done = {one.participant_id for one in missing}
    report.up_to_date.extend(one.participant_id for one in readable if one.participant_id not in done)
    if not report.prepared and not report.up_to_date:
        raise SctError(f"{cohort.root}: no participant can be used: {'; '.join(report.failed.values())}")
    return report


def _fail(report: PrepareReport, participant: Participant, message: str, on_error: str) -> None:
    if on_error == "stop":
        raise SctError(f"{message}; prepare.on_error=skip leaves such participants out")
    report.failed[participant.participant_id] = message


def _has_slices(participant: Participant, folder: Path, fingerprints: Mapping[str, str]) -> bool:
    """Whether the store has a participant's slices, as its files and the settings give them now."""
    name = participant.participant_id
    try:
        return SliceStore(folder, [name]).participant(name).fingerprint == fingerprints[name]
    except SctError:
        return False


def _is_up_to_date(participant: Participant, folder: Path, fingerprints: Mapping[str, str], with_sheets: bool) -> bool:
    """Whether nothing is to be done, the columns and the contact sheet included."""
    if not _has_slices(participant, folder, fingerprints):
        return False
    name = participant.participant_id
    same_columns = SliceStore(folder, [name]).record(name).columns == participant.columns
    return same_columns and (contact_sheet_path(folder, name).exists() or not with_sheets)


def _refresh(participant: Participant, folder: Path, with_sheet: bool) -> None:
    """Bring columns and contact sheet up to date; the slices are."""
    name = participant.participant_id
    sheet = contact_sheet_path(folder, name)
    sheet.unlink(missing_ok=True)  # never old columns beside new ones
    update_columns(folder, name, participant.columns)
    if with_sheet:
        write_contact_sheet(SliceStore(folder, [name]).participant(name), sheet)


def _remove_strays(folder: Path) -> None:
    """Remove temporary files that killed processes left; only while nobody else writes here."""
    for path in [*folder.glob(".*.npy"), *folder.glob(".*.json"), *folder.glob("contact-sheets/.*.png")]:
        path.unlink(missing_ok=True)


def _each_prepared(
    participants: list[Participant],
    settings: PrepareSettings,
    folder: Path,
    fingerprints: Mapping[str, str],
    jobs: int | None,
    with_sheets: bool,
) -> Generator[tuple[Participant, BadParticipantError | None]]:
    """Prepare participants, in this process or in several, and yield each when it is done."""
    from tqdm import tqdm

    n_workers = min(jobs or n_cores(), len(participants))
    pieces = [(one, settings, folder, fingerprints[one.participant_id], with_sheets) for one in participants]
    with tqdm(total=len(participants), desc="prepare", unit="participant", mininterval=1, disable=None) as bar:
        try:
            for number, failure in each_done(_try, pieces, n_workers):
                yield participants[number], failure
                bar.update()
        except WorkerDiedError as error:
            names = ", ".join(participants[number].participant_id for number in error.at_work)
            raise SctError(
                f"a process died while preparing {names} (killed, perhaps because memory ran out); "
                f"finished participants are kept; try a smaller prepare.jobs than {n_workers}"
            ) from error


def _try(
    participant: Participant, settings: PrepareSettings, folder: Path, fingerprint: str, with_sheet: bool
) -> BadParticipantError | None:
    try:
        prepare_participant(participant, settings, folder, fingerprint, with_sheet)
    except BadParticipantError as error:
        return error
    except MemoryError as error:
        raise SctError(
            f"{participant.participant_id}: memory ran out while preparing it; try a smaller prepare.jobs"
        ) from error
    return None
