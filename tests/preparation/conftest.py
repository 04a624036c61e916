"""Small pairs on disk."""

import numpy as np
import pytest
from small_pairs import SPACING_MM, grid, head_hu, head_mr, save, world

from sct.cohorts.cohort import Participant


@pytest.fixture
def make_participant(tmp_path):
    """Writes a pair: CT at 4 mm in RAS+, MR the same or as `mr_affine` and `mr_shape` say."""

    def make(name="p1", root=None, ct=None, mr=None, mr_shape=None, mr_affine=None, columns=None, seed=0):
        folder = (root or tmp_path / "cohort") / name
        shape = (24, 28, 26)
        affine = grid(shape, SPACING_MM)
        mr_shape = mr_shape or shape
        mr_affine = affine if mr_affine is None else mr_affine
        ct = head_hu(world(shape, affine), seed) if ct is None else np.broadcast_to(ct, shape)
        mr = head_mr(world(mr_shape, mr_affine)) if mr is None else np.broadcast_to(mr, mr_shape)
        return Participant(
            participant_id=name,
            mr=save(mr, mr_affine, folder / "mr.nii.gz"),
            ct=save(ct, affine, folder / "ct.nii.gz"),
            columns=columns or {},
        )

    return make
