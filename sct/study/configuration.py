"""The scientific part of a run's configuration: what must be equal for two runs to be the same experiment."""

from collections.abc import Mapping
from typing import Any

__all__ = ["first_difference", "is_training_key", "scientific"]

# Where and how fast a run works, not what it computes.
_INCIDENTAL = {
    "runs",
    "fold",
    "logger",
    "launcher",
    "examples",
    "evaluate",
    "allow_missing",
    "cohort.root",
    "cohort.phantom",
    "prepare.store",
    "prepare.jobs",
    "prepare.on_error",
    "data.resident",
    "trainer.devices",
    "trainer.accelerator",
    "trainer.compile",
    "trainer.checkpoint_every_s",
}
# What a classical baseline does not use.
_TRAINING = ("augment", "optim", "trainer", "data.batch_size")
# What is made of a choice, with all its arguments; the keys beside it only lead there.
_MADE = {"model": "model.network", "loss": "loss.function"}


def scientific(config: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved configuration as one flat mapping of dotted keys, without the keys that change no result.

    A phantom cohort's settings are left to the store's fingerprint, which tells the voxels themselves apart. Those of a
    classical baseline (`loss.name` is none) are without what only training uses.
    """
    found = {key: value for key, value in _flat(config) if not _is_incidental(key)}
    if found.get("loss.name") == "none":
        found = {key: value for key, value in found.items() if not is_training_key(key)}
    if found.get("prepare.frame") != "patch":
        found.pop("prepare.patch_overlap", None)  # without patches it decides nothing
    return found


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first dotted key, in alphabetical order, in which two flat configurations differ, with both values.

    Returns:
        For instance "optim.lr: 0.001 before, 0.01 now"; None when they are equal.
    """
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, "(not set)"), now.get(key, "(not set)")
        if old != new:
            return f"{key}: {old} before, {new} now"
    return None


def is_training_key(key: str) -> bool:
    """Whether a dotted key is of no account to a classical baseline."""
    return any(_is_in(key, name) for name in _TRAINING)


def _is_incidental(key: str) -> bool:
    group, _, rest = key.partition(".")
    if group in _MADE:
        return rest != "name" and not _is_in(key, _MADE[group])
    return any(_is_in(key, name) for name in _INCIDENTAL)


def _is_in(key: str, node: str) -> bool:
    return key == node or key.startswith(f"{node}.")


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            items += _flat(value, f"{name}.")
        else:
            items.append((name, value))
    return items
