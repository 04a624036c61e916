"""Losses, metrics, folds, augmentation, data module and task."""
