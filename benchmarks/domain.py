"""How often `sct.predict` warns that an MR is unlike the training, on phantoms that the training did not have.

    python -m benchmarks.domain > benchmarks/domain.md

Phantoms of the paper's 39 participants, 4 mm, four folds: each one's MR is compared with what the networks of its fold
were trained on, as it is, and as what should be warned of: a T1-weighted image of the same anatomy (an MPRAGE's
signal), halves of the volume along each axis, its CT given as MR. Writes a Markdown table; no network is trained.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from sct.cohorts.cohort import read_cohort
from sct.core.volume import Volume
from sct.head_phantom.cohort import write_phantom_cohort
from sct.head_phantom.mr_signal import Sequence
from sct.head_phantom.participant import make_participant
from sct.head_phantom.settings import PhantomSettings
from sct.head_phantom.tissue import TissueValues
from sct.io.volumes import read_volume
from sct.preparation.cohort import prepare_cohort
from sct.preparation.domain import domain_of
from sct.preparation.settings import PrepareSettings
from sct.preparation.store import SliceStore
from sct.synthesis.ensemble import Ensemble, Member
from sct.synthesis.isotropic_mr import isotropic_mr
from sct.synthesis.synthesize import compare_with_training, head_mask
from sct.training.folds import fold_of

SPACING_MM, SIZE_PX = 4.0, 64
INVERSION_MS, RECOVERY_MS, ECHO_MS = 900.0, 2000.0, 3.0  # of a usual MPRAGE at 3 T


def mprage(values: TissueValues, _: Sequence) -> NDArray[np.complex128]:
    """Signal of an inversion-prepared T1-weighted image, per tissue."""
    recovered = 1 - 2 * np.exp(-INVERSION_MS / values.t1_ms) + np.exp(-RECOVERY_MS / values.t1_ms)
    return (values.density * np.abs(recovered) * np.exp(-ECHO_MS / values.t2star_ms)).astype(complex)


def inputs(mr: Volume, ct: Volume, settings: PhantomSettings, index: int) -> Iterator[tuple[str, Volume]]:
    """What is compared, by name."""
    yield "the bone MR itself", mr
    with mock.patch("sct.head_phantom.participant.tissue_signals", mprage):
        yield "T1-weighted (MPRAGE)", make_participant(settings, index).mr
    for axis in range(3):
        half = mr.shape[axis] // 2
        kept = tuple(slice(half) if k == axis else slice(None) for k in range(3))
        yield f"half along axis {axis}", Volume(mr.data[kept], mr.affine)
    yield "the CT as MR", ct


def warnings(volume: Volume, ensemble: Ensemble) -> list[str]:
    """The lines that `sct.predict` would print of a comparison with the training."""
    isotropic = isotropic_mr(volume, ensemble.settings)
    head = head_mask(isotropic, "auto", ("axial", "coronal", "sagittal"))
    return compare_with_training(volume, isotropic, head, ensemble).warnings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, default=39, help="the first so many of phantom39")
    parser.add_argument("--spacing-mm", type=float, default=SPACING_MM)
    chosen = parser.parse_args()
    settings = PhantomSettings(chosen.participants, chosen.spacing_mm, preset="phantom39")
    prepare = replace(PrepareSettings(), size_px=SIZE_PX, spacing_mm=chosen.spacing_mm)
    warned: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cohort"
        write_phantom_cohort(root, settings)
        cohort = read_cohort(root)
        prepare_cohort(cohort, prepare, Path(folder) / "store")
        store = SliceStore(Path(folder) / "store")
        folds = fold_of(store.participant_ids)
        domains = {fold: domain_of(store, [one for one in folds if folds[one] != fold]) for fold in set(folds.values())}
        for index, one in enumerate(cohort.participants):
            member = Member("the fold's", lambda: None, domain=domains[folds[one.participant_id]])  # type: ignore
            ensemble = Ensemble([member], prepare)
            for name, volume in inputs(read_volume(one.mr), read_volume(one.ct), settings, index):
                lines = warnings(volume, ensemble)
                warned.setdefault(name, []).append(lines[0] if lines else "")
    print("| given | warned of |\n|---|---|")
    for name, first in warned.items():
        print(f"| {name} | {sum(map(bool, first))} of {len(first)} |")


if __name__ == "__main__":
    main()
