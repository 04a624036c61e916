"""Values of DICOM headers, which scanners and exports do not always write as the standard asks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sct.core.errors import SctError

__all__ = ["header_count", "header_number", "header_numbers", "header_text", "header_values"]


def header_values(header: Any, keyword: str) -> list[Any]:
    """The values of a header element; empty when it is missing or blank."""
    value = header.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list) or type(value).__name__ == "MultiValue" else [value]


def header_text(header: Any, keyword: str) -> str:
    """A header value as plain text without line breaks; values joined by backslashes; empty when missing."""
    return "\\".join(" ".join(str(value).split()) for value in header_values(header, keyword))


def header_number(header: Any, keyword: str) -> float | None:
    """A header value that only describes, as a finite number, the first of several; None where there is none."""
    try:
        number = float(header_text(header, keyword).partition("\\")[0])
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def header_numbers(header: Any, keyword: str, what: str) -> NDArray[np.float64] | None:
    """A header value that voxels depend on, as numbers (n,); None when it is missing or blank.

    Args:
        header: A pydicom Dataset.
        keyword: Name of the element.
        what: Begins the message: the file.

    Raises:
        SctError: The element holds anything but finite numbers.
    """
    values = header_values(header, keyword)
    if not values:
        return None
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise SctError(f"{what}: {keyword} in its header is {header_text(header, keyword)[:60]!r}, which is no number")
    return numbers


def header_count(header: Any, keyword: str, what: str, default: int | None = None) -> int:
    """A header value that counts.

    Args:
        header: A pydicom Dataset.
        keyword: Name of the element.
        what: Begins the message: the file.
        default: Taken where the element is missing, blank or 0.

    Raises:
        SctError: The element is no whole number above 0, or missing and without default.
    """
    numbers = header_numbers(header, keyword, what)
    if default is not None and (numbers is None or numbers[0] == 0):
        return default
    if numbers is None:
        raise SctError(f"{what}: its header has no {keyword}")
    if numbers.size != 1 or numbers[0] < 1 or numbers[0] % 1:
        raise SctError(
            f"{what}: {keyword} in its header is {header_text(header, keyword)[:60]}; a whole number above 0 was "
            "expected"
        )
    return int(numbers[0])
