"""Planes, masks and frames, each with its inverse where one exists."""
