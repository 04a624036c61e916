"""Several trained networks that predict together: folds and seeds of one kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from sct.core.errors import SctError
from sct.core.files import file_sha256
from sct.preparation.settings import PrepareSettings

__all__ = ["Ensemble", "Member", "ensemble_of", "load_ensemble"]


@dataclass(frozen=True)
class Member:
    """One network.

    Attributes:
        name: What messages call it.
        load: Gives the network; called again for each volume, so that a large ensemble need not stay in memory.
        sha256: Digest of its checkpoint; None for a network that never was a file.
        model: Configuration of the network, plain types.
        domain: What it was trained on (`sct.preparation.domain`), plain types; empty when unknown.
    """

    name: str
    load: Callable[[], nn.Module]
    sha256: str | None = None
    model: Mapping[str, Any] | None = None
    domain: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Ensemble:
    """Networks with one way of preparation.

    Attributes:
        members: At least one.
        settings: How slices are made for all of them.
    """

    members: Sequence[Member]
    settings: PrepareSettings


def ensemble_of(networks: Sequence[nn.Module], settings: PrepareSettings) -> Ensemble:
    """An ensemble of networks in memory."""
    members = [Member(f"network {i}", lambda network=network: network) for i, network in enumerate(networks)]  # type: ignore[misc]
    return Ensemble(members, settings)


def load_ensemble(paths: Sequence[Path], allow: Sequence[str] = ()) -> Ensemble:
    """Read checkpoints and check that they belong together.

    Args:
        paths: Checkpoints of `sct.run`, at least one.
        allow: Packages beside `sct` whose networks may be built.

    Raises:
        SctError: There is none, one cannot be read or has no configuration, or they differ in a preparation setting
            (named with both values).
    """
    from sct.training.checkpoint import load_network

    if not paths:
        raise SctError("--checkpoint: at least one is needed; `sct run` writes them as best.ckpt")
    members, settings = [], None
    for path in paths:
        hyper_parameters = load_network(path, allow).hyper_parameters
        own = _settings_of(hyper_parameters, path)
        if settings is None:
            settings = own
        _check_equal(settings, own, paths[0], path)
        members.append(
            Member(
                name=Path(path).name,
                load=lambda path=path: load_network(path, allow).network,  # type: ignore[misc]
                sha256=file_sha256(path),
                model=hyper_parameters.get("model"),
                domain=hyper_parameters.get("domain"),
            )
        )
    assert settings is not None
    return Ensemble(members, settings)


def _settings_of(hyper_parameters: Mapping[str, Any], path: Path) -> PrepareSettings:
    prepare = hyper_parameters.get("prepare")
    if not isinstance(prepare, Mapping) or "size_px" not in prepare or "spacing_mm" not in prepare:
        raise SctError(f"{path}: has no preparation settings (`prepare`), so its input cannot be made; retrain it")
    return PrepareSettings.from_plain(prepare)


def _check_equal(first: PrepareSettings, other: PrepareSettings, first_path: Path, other_path: Path) -> None:
    for item in fields(PrepareSettings):
        one, two = getattr(first, item.name), getattr(other, item.name)
        if one != two:
            raise SctError(
                f"{other_path}: prepare.{item.name} is {two}, but {one} in {first_path}; "
                "the checkpoints of one ensemble must share their preparation"
            )
