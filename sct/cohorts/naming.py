"""Words in the names that scanners and technologists give to scans."""

import re
from collections.abc import Sequence
from typing import Any

from sct.io.dicom_values import header_text

__all__ = ["SCOUT_NAMES", "is_named"]

SCOUT_NAMES = ("(AAH|AAHEAD )?SCOUT", "LOCALI[SZ]ER", "LOC", "TOPOGRAM", "SURVIEW", "SURVEY", "SCANOGRAM")
"""Words for pictures that only plan the scan."""

_NAMES = ("SequenceName", "PulseSequenceName", "ProtocolName", "SeriesDescription")


def is_named(header: Any, names: Sequence[str], keywords: Sequence[str] = _NAMES) -> bool:
    """Whether one of the names is a word of its own in a scan's names; not within another, as UTE in MINUTE.

    Args:
        header: The scan's.
        names: Regular expressions of capitals, digits and single spaces, which stand for any other mark.
        keywords: The header elements that are looked into; those that name a sequence, protocol or series by default.
    """
    text = " ".join(header_text(header, keyword) for keyword in keywords).upper()
    words = re.sub(r"[^A-Z0-9]+", " ", text)
    return re.search(rf"(?<![A-Z])({'|'.join(names)})(?![A-Z])", words) is not None
