"""What must stand beside a synthetic CT, wherever it is shown or scored."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sct.core.gray import Window

__all__ = ["DISCLAIMER", "saturation_note", "scores_note"]

DISCLAIMER = "Synthetic CT for research. Not a medical device, not for diagnosis or treatment."


def saturation_note(window: "Window") -> str:
    """Where the network's window ends."""
    return (
        f"The network's window ends at {window.lowest_hu:g} and {window.highest_hu:g} HU: inner air saturates at "
        f"{window.lowest_hu:g} HU and dense bone at {window.highest_hu:g} HU."
    )


def scores_note(window: "Window") -> str:
    """The same, and which protocols compare with a CT that is not cut there."""
    return (
        f"{saturation_note(window)} The CT of `synthrad` and `bone` is not cut there; `slices` compares inside the "
        "window."
    )
