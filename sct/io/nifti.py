"""NIfTI-1 and NIfTI-2 files by nibabel."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sct.core.errors import SctError
from sct.core.files import atomic_path
from sct.core.volume import Volume
from sct.io.checks import checked_volume, require_file

__all__ = ["read_nifti", "write_nifti"]

# NIfTI's xyzt_units -> mm; the standard leaves 0 (unknown), which everyone reads as mm.
_MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
_NIFTI2_HEADER_BYTES = 540


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI file, scaled by its slope and intercept.

    The whole file is read at once: a truncated or damaged one is found here (by gzip's checksum too), not later.

    Args:
        path: `.nii` or `.nii.gz`.

    Returns:
        float32 voxels and the affine in mm.

    Raises:
        SctError: The file is missing, empty, unreadable, truncated, or holds no usable 3-D volume.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError, ImageDataError
    from nibabel.wrapstruct import WrapStructError

    require_file(path)
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
    except (EOFError, zlib.error) as error:
        raise SctError(f"{path}: truncated or damaged gzip file ({error})") from error
    except gzip.BadGzipFile as error:
        raise SctError(f"{path}: not a gzip file, as .nii.gz would be, or damaged ({error})") from error
    except OSError as error:
        raise SctError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        image = _image_class(nibabel, content).from_bytes(content)
        affine = np.array(image.affine, dtype=np.float64)
        if image.get_data_dtype().kind not in "biuf":
            data = np.empty(image.shape, image.get_data_dtype())  # refused below by its type
        else:
            with np.errstate(over="ignore"):  # beyond float32 becomes infinite and is refused below
                data = image.get_fdata(dtype=np.float32, caching="unchanged")
        unit = image.header.get_xyzt_units()[0]
        placed = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    except (
        ImageFileError,
        HeaderDataError,
        ImageDataError,
        WrapStructError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
    ) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SctError(f"{path}: not a readable NIfTI file, or truncated ({reason})") from error
    if not placed:  # readers then guess, and left may become right
        raise SctError(f"{path}: the header has no orientation (neither sform nor qform); set one before you use it")
    affine[:3] *= _MM_PER_UNIT.get(unit, 1.0)
    return checked_volume(path, data, affine)


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a NIfTI-1 file atomically, with the dtype of the data (bool as uint8, half as single precision).

    The affine goes into the sform, and into the qform where a rotation and voxel sizes can say it, so that readers
    that prefer either agree.

    Raises:
        SctError: The file cannot be written.
    """
    import nibabel

    data = volume.data
    if data.dtype == np.bool_:
        data = data.astype(np.uint8)
    elif data.dtype == np.float16:
        data = data.astype(np.float32)
    image_class: Any = nibabel.Nifti1Image
    image = image_class(data, volume.affine, dtype=data.dtype)
    image.set_sform(volume.affine, code="scanner")
    directions = volume.affine[:3, :3] / volume.spacing_mm
    is_orthogonal = np.allclose(directions.T @ directions, np.eye(3), atol=1e-5)
    image.set_qform(volume.affine, code="scanner" if is_orthogonal else "unknown")
    image.header.set_xyzt_units("mm")
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)


def _image_class(nibabel: Any, content: bytes) -> Any:
    """NIfTI-1 or NIfTI-2 by the header's length, which is its first number in either byte order."""
    header_bytes = {int.from_bytes(content[:4], "little"), int.from_bytes(content[:4], "big")}
    return nibabel.Nifti2Image if _NIFTI2_HEADER_BYTES in header_bytes else nibabel.Nifti1Image
