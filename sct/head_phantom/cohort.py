"""A phantom cohort on disk, in the layout that real cohorts have."""

from pathlib import Path

from sct.core.errors import SctError
from sct.core.files import read_json, write_json, write_text
from sct.core.workers import WorkerDiedError, each_done, n_cores
from sct.head_phantom.participant import make_participant
from sct.head_phantom.presets import COLUMNS, participant_columns, participant_id
from sct.head_phantom.settings import PHANTOM_VERSION, PhantomSettings

__all__ = ["check_phantom_folder", "write_phantom_cohort"]

_DESCRIPTION = "dataset_description.json"
_RECORD = "phantom.json"


def check_phantom_folder(root: Path, jobs: int | None = None) -> None:
    """See whether a phantom cohort may be written here, without touching the folder.

    Raises:
        SctError: `jobs` is below one, or the folder holds anything that is not a phantom.
    """
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise SctError(f"jobs={jobs}: must be a whole number of at least 1")
    if not _is_ours(root):
        raise SctError(f"{root}: holds files that are not a phantom; give another folder")


def write_phantom_cohort(root: Path, settings: PhantomSettings, jobs: int | None = None) -> None:
    """Write participants.tsv and <id>/{mr,ct}.nii.gz below `root`; displaced cohorts also landmarks and affines.

    Participants that are there already, made by the same settings and version, are kept. Each one's `phantom.json` is
    written after its images, and participants.tsv after all participants, so either means that what it stands for is
    complete.

    Args:
        root: The cohort's folder; made when missing.
        settings: What to make.
        jobs: Processes; None for one per core. A single process works without a pool.

    Raises:
        SctError: `jobs` is below one, the folder holds anything that is not a phantom, it cannot be written, or a
            process was killed.
    """
    from tqdm import tqdm

    root = Path(root)
    check_phantom_folder(root, jobs)
    missing = [index for index in range(settings.participants) if not _is_finished(root, settings, index)]
    table = _participants_table(settings)
    listed = root / "participants.tsv"
    if not missing and listed.exists() and listed.read_text(encoding="utf-8") == table:
        return
    if root.exists():
        listed.unlink(missing_ok=True)
    write_json(
        root / _DESCRIPTION,
        {
            "Name": settings.preset or "phantom",
            "GeneratedBy": [{"Name": "sct.phantom", "Version": PHANTOM_VERSION}],
            "Settings": {**settings.decisive(), "participants": settings.participants},
        },
    )
    pieces = [(root, settings, index) for index in missing]
    with tqdm(total=len(missing), desc="phantom", unit="participant", mininterval=1, disable=None) as bar:
        try:
            for _ in each_done(_write_participant, pieces, jobs or n_cores()):
                bar.update()
        except WorkerDiedError as error:
            names = ", ".join(participant_id(missing[number]) for number in error.at_work)
            raise SctError(
                f"a process died while making {names} (killed, perhaps because memory ran out); finished participants "
                "are kept; try fewer jobs"
            ) from error
    write_text(listed, table)


def _is_ours(root: Path) -> bool:
    """Whether nothing of somebody else can be lost: no folder, an empty one, or one that a phantom was begun in.

    A description alone says little: every BIDS data set has one.
    """
    if not root.exists() or (root.is_dir() and all(path.name.startswith(".") for path in root.iterdir())):
        return True
    try:
        return bool(read_json(root / _DESCRIPTION)["GeneratedBy"][0]["Name"] == "sct.phantom")
    except (SctError, KeyError, IndexError, TypeError):
        return False


def _write_participant(root: Path, settings: PhantomSettings, index: int) -> None:
    from sct.io.volumes import write_volume

    folder = root / participant_id(index)
    (folder / _RECORD).unlink(missing_ok=True)
    participant = make_participant(settings, index)
    write_volume(participant.ct, folder / "ct.nii.gz")
    write_volume(participant.mr, folder / "mr.nii.gz")
    if participant.displacement is not None and participant.landmarks is not None:
        write_json(folder / "displacement.json", {"mr_world_to_ct_world": participant.displacement.tolist()})
        lines = ["\t".join(("name", "mr_x", "mr_y", "mr_z", "ct_x", "ct_y", "ct_z"))]
        for name, (mr, ct) in participant.landmarks.items():
            lines.append("\t".join((name, *(f"{value:.3f}" for value in (*mr, *ct)))))
        write_text(folder / "landmarks.tsv", "\n".join(lines) + "\n")
    else:
        for name in ("displacement.json", "landmarks.tsv"):
            (folder / name).unlink(missing_ok=True)
    write_json(folder / _RECORD, _record(settings, index))


def _record(settings: PhantomSettings, index: int) -> dict[str, object]:
    return {"index": index, "settings": settings.decisive(), "columns": participant_columns(settings, index)}


def _is_finished(root: Path, settings: PhantomSettings, index: int) -> bool:
    folder = root / participant_id(index)
    if not all((folder / name).exists() for name in ("ct.nii.gz", "mr.nii.gz", _RECORD)):
        return False
    try:
        return bool(read_json(folder / _RECORD) == _record(settings, index))
    except SctError:
        return False


def _participants_table(settings: PhantomSettings) -> str:
    lines = ["\t".join(("participant_id", *COLUMNS))]
    for index in range(settings.participants):
        columns = participant_columns(settings, index)
        lines.append("\t".join((participant_id(index), *(columns[name] for name in COLUMNS))))
    return "\n".join(lines) + "\n"
