"""A tiny slice store, written by the store's own writer."""

import numpy as np

from sct.preparation.store import Geometry, ParticipantRecord, SliceStore, write_participant

SIZE_PX = 32
N_SLICES = 12


def write_store(folder, n_participants=6, n_slices=N_SLICES, size_px=SIZE_PX, seed=0):
    """Smooth random heads whose CT is a function of the MR, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[-1 : 1 : size_px * 1j, -1 : 1 : size_px * 1j]
    for number in range(n_participants):
        pixels = np.zeros((3, n_slices, size_px, size_px), np.uint8)
        for k in range(n_slices):
            a, b, angle = rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9), rng.uniform(0, 6)
            radius = np.hypot(
                (xx * np.cos(angle) + yy * np.sin(angle)) / a, (yy * np.cos(angle) - xx * np.sin(angle)) / b
            )
            inside, bone = radius < 1, (radius > 0.7) & (radius < 0.9)
            mr = np.where(bone, 60, 160) + rng.normal(0, 8, radius.shape)
            ct = np.where(bone, 190, 70) + rng.normal(0, 4, radius.shape)
            pixels[0, k] = np.clip(np.where(inside, mr, 0), 0, 255)
            pixels[1, k] = np.clip(np.where(inside, ct, 0), 0, 255)
            pixels[2, k] = np.where(inside, 255, 0)
        record = ParticipantRecord(
            participant_id=f"p{number:02d}",
            fingerprint=f"{number:08x}{seed:08x}",
            settings={"size_px": size_px, "spacing_mm": 4.0},
            geometry=Geometry((n_slices, n_slices, n_slices), np.eye(4), 4.0),
            mr_range=(0.0, 255.0),
            planes=np.arange(n_slices) % 3,
            indices=np.arange(n_slices) // 3,
            rows=np.zeros(n_slices, np.int64),
            cols=np.zeros(n_slices, np.int64),
            sides=np.full(n_slices, size_px),
            columns={"institution": str(1 + number % 2)},
        )
        write_participant(folder, record, [pixels])
    return SliceStore(folder)
