"""Synthetic CT from bone MRI of the head and neck."""

__all__ = ["__version__"]

__version__ = "0.1.0"
