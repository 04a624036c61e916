"""Bone surfaces: mesh and deviation."""
