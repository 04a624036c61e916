"""Bone surfaces: meshes, their deviation from one another, heat maps, and the page to look at."""
