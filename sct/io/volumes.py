"""Volumes by file name: the suffix says the format."""

from pathlib import Path

from sct.core.errors import SctError
from sct.core.volume import Volume
from sct.io.itk import read_itk, write_itk
from sct.io.nifti import read_nifti, write_nifti

__all__ = ["VOLUME_SUFFIXES", "read_volume", "volume_suffix", "write_volume"]

VOLUME_SUFFIXES = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")


def volume_suffix(path: Path) -> str | None:
    """The suffix of `VOLUME_SUFFIXES` that a file name ends with, whatever its case; None when it has none."""
    name = path.name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if name.endswith(suffix) and name != suffix), None)


def read_volume(path: Path) -> Volume:
    """Read a volume file, or a folder that holds one DICOM series.

    Args:
        path: A file with one of `VOLUME_SUFFIXES`, or a folder.

    Returns:
        float32 voxels (X, Y, Z), in the file's own units, and the affine (voxel -> world mm, RAS).

    Raises:
        SctError: The file is missing, of another format, empty, truncated, not 3-D, not finite, or without a place in
            the world.
    """
    path = Path(path)
    if path.is_dir():
        from sct.io.dicom import read_dicom

        return read_dicom(path)
    if not path.exists():
        raise SctError(f"{path}: no such file")
    return read_nifti(path) if _known_suffix(path).startswith(".nii") else read_itk(path)


def write_volume(volume: Volume, path: Path) -> None:
    """Write a volume atomically in the format that the suffix says; the dtype of the data is kept.

    Raises:
        SctError: The suffix is unknown or the file cannot be written.
    """
    path = Path(path)
    if _known_suffix(path).startswith(".nii"):
        write_nifti(volume, path)
    else:
        write_itk(volume, path)


def _known_suffix(path: Path) -> str:
    suffix = volume_suffix(path)
    if suffix is None:
        raise SctError(f"{path}: unknown file type; a volume's name ends in one of {' '.join(VOLUME_SUFFIXES)}")
    return suffix
