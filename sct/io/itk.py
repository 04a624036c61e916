"""MetaImage and NRRD files by SimpleITK, whose world is LPS; ours is RAS."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError
from sct.core.files import atomic_path
from sct.core.volume import Volume
from sct.io.checks import checked_volume, require_file

__all__ = ["read_itk", "volume_to_image", "write_itk"]

_READERS = {".mha": "MetaImageIO", ".mhd": "MetaImageIO", ".nrrd": "NrrdImageIO"}  # ITK knows no .MHA by itself
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def read_itk(path: Path) -> Volume:
    """Read a `.mha`, `.mhd` or `.nrrd` file.

    Returns:
        float32 voxels and the affine in mm, RAS.

    Raises:
        SctError: The file is missing, empty, unreadable, truncated, or holds no usable 3-D volume.
    """
    import SimpleITK

    require_file(path)
    try:
        image: Any = SimpleITK.ReadImage(str(path), imageIO=_READERS[path.suffix.lower()])
    except RuntimeError as error:
        raise SctError(f"{path}: cannot be read, or truncated ({_reason(error)})") from error
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise SctError(f"{path}: {image.GetNumberOfComponentsPerPixel()} values per voxel; one gray value was expected")
    data = SimpleITK.GetArrayFromImage(image).T
    return checked_volume(path, data, _affine(image))


def write_itk(volume: Volume, path: Path) -> None:
    """Write a `.mha` or `.nrrd` file atomically and compressed, with the dtype of the data (bool as uint8).

    Raises:
        SctError: The file cannot be written, or is `.mhd` (two files, which cannot be replaced at once).
    """
    import SimpleITK

    if path.suffix.lower() == ".mhd":
        raise SctError(f"{path}: .mhd is written as two files, which cannot be replaced at once; use .mha")
    with atomic_path(path) as temporary:
        made = temporary.with_suffix(path.suffix.lower())  # ITK would write a .MHA as a .mhd and its voxels beside it
        try:
            SimpleITK.WriteImage(volume_to_image(volume), str(made), useCompression=True)
            made.replace(temporary)
        except RuntimeError as error:
            made.unlink(missing_ok=True)
            raise SctError(f"{path}: cannot be written ({_reason(error)})") from error


def volume_to_image(volume: Volume) -> Any:
    """The SimpleITK image of a volume: the same voxels at the same places, in LPS."""
    import SimpleITK

    data = volume.data
    if data.dtype == np.bool_:
        data = data.astype(np.uint8)
    elif data.dtype == np.float16:
        data = data.astype(np.float32)
    image: Any = SimpleITK.GetImageFromArray(np.ascontiguousarray(data.T))
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetDirection((_LPS_TO_RAS @ volume.affine[:3, :3] / volume.spacing_mm).ravel().tolist())
    image.SetOrigin((_LPS_TO_RAS @ volume.affine[:3, 3]).tolist())
    return image


def _affine(image: Any) -> NDArray[np.float64]:
    """Voxel index -> RAS mm of the first three axes (an image of fewer is refused elsewhere)."""
    n = image.GetDimension()
    used = min(n, 3)
    directions = np.array(image.GetDirection()).reshape(n, n)[:used, :used]
    affine = np.eye(4)
    affine[:used, :used] = _LPS_TO_RAS[:used, :used] @ directions * np.array(image.GetSpacing())[:used]
    affine[:used, 3] = _LPS_TO_RAS[:used, :used] @ np.array(image.GetOrigin())[:used]
    return affine


def _reason(error: RuntimeError) -> str:
    """The last sentence of ITK's many-lined message; its "Reason" is the system's last error, often an older one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Reason:")]
    return lines[-1] if lines else "unknown reason"
