"""How far from the truth registration ends, on a displaced phantom cohort.

    python -m sct.phantom data/displaced --participants 12 --displaced
    python -m benchmarks.registration data/displaced > benchmarks/registration.md
    python -m benchmarks.registration data/displaced --placement

Writes a Markdown table: target registration error (TRE) over the head, per participant and method; with `--placement`,
what "landmarks placed with an error of 1 mm" gives by what it is taken to mean.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.registration_picture import write_registration_picture
from sct.cohorts.cohort import Participant, read_cohort
from sct.core.errors import SctError
from sct.core.files import read_json
from sct.core.volume import Volume
from sct.geometry.affine_fit import apply_affine, describe_affine, fit_affine, inverse
from sct.geometry.registration import register
from sct.head_phantom.displacement import draw_landmarks
from sct.head_phantom.participant import draw_anatomy
from sct.head_phantom.settings import PhantomSettings
from sct.io.volumes import read_volume

HEAD_HU = -300.0
N_POINTS = 5000
WORST_MM, WORST_DEG = 15.0, 10.0  # of what registration must take
DRAWS = 50
PLACEMENT_ERRORS_MM = {  # as root mean square of a pair's error over three directions and both images
    "a pair's error": 1.0,
    "each mark's error, in MR and in CT": 2**0.5,
    "the SD of each coordinate of each mark": 6**0.5,
}


def true_affine(participant: Participant) -> np.ndarray:
    """MR world -> CT world (4, 4), as the phantom was displaced."""
    return np.array(read_json(participant.mr.with_name("displacement.json"))["mr_world_to_ct_world"])


def head_points(ct: Volume) -> np.ndarray:
    """World positions (n, 3) of voxels in the head, evenly spread over their list."""
    index = np.argwhere(ct.data > HEAD_HU)
    return apply_affine(ct.affine, index[:: max(1, len(index) // N_POINTS)].astype(float))


def evenly_picked(n: int, count: int) -> np.ndarray:
    """Up to `count` of n numbers, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(count, n)).round().astype(int))


def some_landmarks(path: Path, count: int, folder: Path) -> Path:
    """A landmarks.tsv with `count` of the landmarks, evenly picked from the list."""
    header, *lines = path.read_text().splitlines()
    picked = evenly_picked(len(lines), count)
    (folder / path.name).write_text("\n".join([header, *(lines[i] for i in picked)]) + "\n")
    return folder / path.name


def worst_displacement(centre: np.ndarray, seed: int) -> np.ndarray:
    """MR world -> CT world (4, 4): 15 mm and 10 degrees in drawn directions about a centre (3,)."""
    axis, direction = (v / np.linalg.norm(v) for v in np.random.default_rng(seed).standard_normal((2, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.deg2rad(WORST_DEG) * axis).as_matrix()
    matrix[:3, 3] = centre + WORST_MM * direction - matrix[:3, :3] @ centre
    return matrix


def measure(
    participant: Participant,
    methods: list[str],
    count: int,
    folder: Path,
    pictures: Path | None,
    worst_seed: int | None,
) -> list[str]:
    """One row of the table; with a seed, of the MR put back and displaced anew by `worst_displacement`."""
    mr, ct = read_volume(participant.mr), read_volume(participant.ct)
    truth = true_affine(participant)
    in_ct = head_points(ct)
    if worst_seed is not None:
        there, truth = truth @ mr.affine, worst_displacement(in_ct.mean(axis=0), worst_seed)
        mr = Volume(mr.data, inverse(truth) @ there)
    in_mr = apply_affine(inverse(truth), in_ct)
    row = [participant.participant_id, participant.columns.get("technique", ""), participant.columns.get("age", "")]
    told = describe_affine(truth, in_mr.mean(axis=0))
    row += [f"{np.linalg.norm(np.array(told['shift_of_centre_mm'])):.1f}", f"{told['rotation_deg']:.1f}"]
    row.append(f"{np.median(np.linalg.norm(in_mr - in_ct, axis=1)):.1f}")
    for method in methods:
        start = time.perf_counter()
        landmarks = None
        if method != "mutual_information" and participant.landmarks is not None:
            landmarks = some_landmarks(participant.landmarks, count, folder)
        registration = register(mr, ct, "mutual_information" if "+" in method else method, landmarks)
        seconds = time.perf_counter() - start
        error = np.linalg.norm(apply_affine(registration.matrix, in_mr) - in_ct, axis=1)
        row += [f"{np.median(error):.2f}", f"{np.percentile(error, 95):.2f}", f"{seconds:.1f}"]
        if pictures:
            title = f"{participant.participant_id}, {method}: median TRE {np.median(error):.2f} mm"
            name = f"{participant.participant_id}-{method.replace(' + ', '-')}.png"
            write_registration_picture(mr, ct, registration.matrix, pictures / name, title)
    return row


def placement_table(root: Path, participants: list[Participant], count: int) -> list[str]:
    """Markdown: median over the participants of the median TRE over `DRAWS` sets of landmarks, by kind of error."""
    settings = PhantomSettings(**read_json(root / "dataset_description.json")["Settings"])
    medians: dict[str, list[float]] = {meaning: [] for meaning in PLACEMENT_ERRORS_MM}
    for index, participant in enumerate(participants):
        placement = draw_anatomy(settings, index).placement
        truth = true_affine(participant)
        in_ct = head_points(read_volume(participant.ct))
        in_mr = apply_affine(inverse(truth), in_ct)
        for meaning, error_mm in PLACEMENT_ERRORS_MM.items():
            errors = []
            for draw in range(DRAWS):
                landmarks = draw_landmarks(np.random.default_rng((index, draw)), placement, truth, error_mm)
                mr, ct = (np.array(positions) for positions in zip(*landmarks.values(), strict=True))
                picked = evenly_picked(len(mr), count)
                fitted = fit_affine(mr[picked], ct[picked], "landmarks").matrix
                errors.append(np.median(np.linalg.norm(apply_affine(fitted, in_mr) - in_ct, axis=1)))
            medians[meaning].append(float(np.median(errors)))
    lines = [f"| 1 mm is | median TRE of {len(participants)}, mm |", "|---|---|"]
    return lines + [f"| {meaning} | {np.median(found):.2f} |" for meaning, found in medians.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path, help="a cohort written by sct.phantom --displaced")
    parser.add_argument(
        "--methods", nargs="+", default=["landmarks", "mutual_information", "landmarks + mutual_information"]
    )
    parser.add_argument("--landmarks", type=int, default=12, help="how many of the landmarks are used")
    parser.add_argument(
        "--worst",
        action="store_true",
        help=f"displace each MR anew, by {WORST_MM:g} mm and {WORST_DEG:g} degrees; mutual_information only",
    )
    parser.add_argument("--placement", action="store_true", help="what the landmarks' placement error may mean")
    parser.add_argument("--pictures", type=Path, help="folder for a checkerboard picture of each result")
    arguments = parser.parse_args()
    if arguments.worst:
        arguments.methods = ["mutual_information"]
    try:
        cohort = read_cohort(arguments.cohort)
        if arguments.placement:
            print("\n".join(placement_table(arguments.cohort, list(cohort.participants), arguments.landmarks)))
            return
        with tempfile.TemporaryDirectory() as folder:
            rows = [
                measure(
                    one,
                    arguments.methods,
                    arguments.landmarks,
                    Path(folder),
                    arguments.pictures,
                    100 + i if arguments.worst else None,
                )
                for i, one in enumerate(cohort.participants)
            ]
    except SctError as error:
        raise SystemExit(f"error: {error}") from error
    header = ["participant", "technique", "age", "shift, mm", "rotation, deg", "median before, mm"]
    for method in arguments.methods:
        header += [f"{method}: median TRE, mm", "95th percentile, mm", "s"]
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for technique in ("", *sorted({row[1] for row in rows})):
        those = [row for row in rows if technique in ("", row[1])]
        medians = [f"{np.median([float(row[i]) for row in those]):.2f}" for i in range(3, len(header))]
        print("| " + " | ".join([f"median of {len(those)}", technique or "all", "", *medians]) + " |")


if __name__ == "__main__":
    main()
