"""`examples.npz` of a run folder: the few test slices whose prediction is kept for pictures.

All cells of a fold keep the same slices, so that networks and losses can be put side by side. Eight bits are enough for
the eye (7.8 HU a level); every figure in a table comes from the sums instead.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import atomic_path

__all__ = ["Examples", "read_examples", "write_examples"]

_DTYPES = {
    "mr": np.uint8,
    "ct": np.uint8,
    "sct": np.uint8,
    "slice_indices": np.int64,
    "window_hu": np.float64,
}


@dataclass(frozen=True)
class Examples:
    """k test slices of one cell, on the frame of the store (S x S pixels).

    Attributes:
        mr: MR, uint8 (k, S, S).
        ct: CT, uint8 (k, S, S).
        sct: Prediction, uint8 (k, S, S): round(255 p) of the gray value p.
        participant_ids: Who, k strings.
        planes: "axial", "coronal" or "sagittal", k strings.
        slice_indices: Number of the slice in its volume, k numbers.
        window_hu: Level and width in HU of the gray scale of `ct` and `sct`.
    """

    mr: NDArray[np.uint8]
    ct: NDArray[np.uint8]
    sct: NDArray[np.uint8]
    participant_ids: tuple[str, ...]
    planes: tuple[str, ...]
    slice_indices: tuple[int, ...]
    window_hu: tuple[float, float]

    def __post_init__(self) -> None:
        k = len(self.participant_ids)
        if not self.mr.shape == self.ct.shape == self.sct.shape or self.mr.ndim != 3 or len(self.mr) != k:
            shapes = f"{self.mr.shape}, {self.ct.shape}, {self.sct.shape}"
            raise ValueError(f"mr, ct and sct need one shape (k, S, S) with k = {k} participants, not {shapes}")
        if any(image.dtype != np.uint8 for image in (self.mr, self.ct, self.sct)):
            raise ValueError("mr, ct and sct are 8-bit images (uint8)")
        if len(self.planes) != k or len(self.slice_indices) != k:
            raise ValueError(f"planes and slice_indices need {k} members, one for each slice")

    def keys(self) -> list[tuple[str, str, int]]:
        """Participant, plane and slice number of each example: what makes two cells' examples the same slice."""
        return list(zip(self.participant_ids, self.planes, self.slice_indices, strict=True))


def write_examples(path: Path, examples: Examples) -> None:
    """Write examples atomically as a compressed npz archive without pickled objects.

    Raises:
        SctError: The file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            mr=examples.mr,
            ct=examples.ct,
            sct=examples.sct,
            participant_ids=np.array(examples.participant_ids, dtype=np.str_),
            planes=np.array(examples.planes, dtype=np.str_),
            slice_indices=np.array(examples.slice_indices, dtype=np.int64),
            window_hu=np.array(examples.window_hu, dtype=np.float64),
        )


def read_examples(path: Path) -> Examples:
    """Read what `write_examples` wrote.

    Raises:
        SctError: The file is missing, truncated, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, NDArray[Any]] = {name: archive[name] for name in (*_DTYPES, "participant_ids", "planes")}
        for name, dtype in _DTYPES.items():
            if arrays[name].dtype != dtype:
                raise ValueError(f"{name} is {arrays[name].dtype}, not {np.dtype(dtype)}")
        level, width = (float(value) for value in arrays["window_hu"])
        return Examples(
            arrays["mr"],
            arrays["ct"],
            arrays["sct"],
            tuple(str(name) for name in arrays["participant_ids"]),
            tuple(str(name) for name in arrays["planes"]),
            tuple(int(index) for index in arrays["slice_indices"]),
            (level, width),
        )
    except FileNotFoundError as error:
        raise SctError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise SctError(f"{path}: not readable as example slices ({error}); remove it and run the cell again") from error
