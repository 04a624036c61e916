"""The one exception that stands for a user's mistake."""

__all__ = ["SctError"]


class SctError(Exception):
    """A mistake in what the user gave: one line that names the file or key, what is wrong and what would be right.

    Doors print it and end with exit code 1; anything else that is raised is a defect of the program.
    """
