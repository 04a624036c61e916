"""Volumes to slice store: `python -m sct.prepare cohort=folder cohort.root=DIR`.

Skips what is up to date, and makes the embedded phantom cohort when it is missing.
"""

from typing import TYPE_CHECKING, Any

from sct._door import hydra_door
from sct.core.errors import SctError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from sct.preparation.cohort import PrepareReport

__all__ = ["ensure_prepared", "main", "prepare"]


def main() -> None:
    """Parse the command line and prepare."""
    hydra_door(prepare, "prepare")


def prepare(cfg: "DictConfig") -> None:
    """Prepare the cohort of a configuration and print what is in the store.

    Raises:
        SctError: A mistake in the configuration or the data.
    """
    from sct.preparation.summary import summary

    print(summary(ensure_prepared(cfg)))


def ensure_prepared(cfg: "DictConfig") -> "PrepareReport":
    """Make and prepare what is missing.

    Raises:
        SctError: A mistake in the configuration or the data.
    """
    from sct.preparation.ensure import prepare

    return prepare(_node(cfg, "cohort"), _node(cfg, "prepare"))


def _node(cfg: "DictConfig", name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue

    try:
        node = OmegaConf.to_container(cfg[name], resolve=True, throw_on_missing=True)
    except (InterpolationToMissingValueError, MissingMandatoryValue) as error:
        raise SctError("cohort.root is missing: cohort=folder cohort.root=DIR, a folder of MR and CT pairs") from error
    if not isinstance(node, dict):
        raise SctError(f"{name}: must be a mapping of keys to values")
    return {str(key): value for key, value in node.items()}


if __name__ == "__main__":
    main()
