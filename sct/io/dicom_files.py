"""A DICOM file as a pydicom dataset, with or without the preamble of the standard's part 10."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sct.core.errors import SctError

__all__ = ["quiet_pydicom", "read_dataset"]

# A bare dataset (old exports, network dumps) begins with an element of group 0002 or 0008, in either byte order.
_BARE_STARTS = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")


def read_dataset(path: Path, pixels: bool = False, tags: Sequence[str] | None = None) -> Any | None:
    """Read a DICOM file; where it does not tell its transfer syntax, that is filled in from the way it is written.

    Args:
        path: Any file.
        pixels: Whether the pixels are wanted too.
        tags: Keywords to read, and to decode at once; all by default, each decoded when it is asked for.

    Returns:
        The dataset; None when the file is no DICOM file.

    Raises:
        SctError: A DICOM file that is damaged.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import MediaStorageDirectoryStorage

    options: dict[str, Any] = {"stop_before_pixels": not pixels}
    if tags is not None:
        options["specific_tags"] = list(tags)
    try:
        with quiet_pydicom():
            try:
                dataset: Any = pydicom.dcmread(path, **options)
            except InvalidDicomError:
                if not _begins_like_a_dataset(path):
                    return None
                dataset = pydicom.dcmread(path, force=True, **options)
                if "SOPClassUID" not in dataset:
                    return None
            for _ in dataset.iterall() if tags is not None else ():
                pass
    except Exception as error:  # pydicom raises many types on damaged headers
        raise SctError(f"{path}: damaged DICOM header ({' '.join(str(error).split()) or 'truncated'})") from error
    is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    if "SOPClassUID" not in dataset and not is_directory:
        raise SctError(f"{path}: damaged DICOM header (truncated)")
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = _syntax_as_written(dataset)
    return dataset


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings of values that break the standard off the screen: what matters is told as an error."""
    logger = logging.getLogger("pydicom")  # which says the same again to whoever listens to all loggers
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
            yield
    finally:
        logger.setLevel(level)


def _begins_like_a_dataset(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in _BARE_STARTS


def _syntax_as_written(dataset: Any) -> Any:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian
