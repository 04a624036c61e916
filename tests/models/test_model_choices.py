"""Every choice of conf/model is composed and instantiated, and says what the run needs to know."""

from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from sct.baselines import Baseline

FOLDER = Path(__file__).parents[2] / "conf" / "model"
CHOICES = sorted(path.stem for path in FOLDER.glob("*.yaml") if path.stem != "own")  # which names no network itself
WINDOW = {"window": {"level_hu": 400.0, "width_hu": 1600.0}}


def composed(choice: str, **overrides: object) -> DictConfig:
    model = OmegaConf.merge(OmegaConf.load(FOLDER / f"{choice}.yaml"), overrides)
    return OmegaConf.create({"model": model, "prepare": WINDOW})


@pytest.mark.parametrize("choice", CHOICES)
def test_choice_is_instantiated(choice: str) -> None:
    overrides = {"encoder_weights": None} if choice == "vgg_unet_tl" else {}
    config = composed(choice, **overrides)
    network = instantiate(config.model.network)
    assert isinstance(network, nn.Module)
    assert isinstance(network, Baseline) == config.model.baseline
    expected = "smp-unet-resnet34" if choice == "smp" else choice
    assert config.model.name == expected
    if isinstance(network, Baseline):
        assert (network.window.level_hu, network.window.width_hu) == (400, 1600)


@pytest.mark.parametrize("choice", CHOICES)
def test_short_keys_reach_the_network(choice: str) -> None:
    config = composed(choice)
    short = set(config.model) - {"name", "baseline", "network", "suffix"}
    for key in short:
        assert config.model.network[key] == config.model[key]


def test_published_lines_are_cells_of_their_own() -> None:
    names = [composed("linear_map", constants=constants).model.name for constants in (None, "zte", "petra")]
    assert names == ["linear_map", "linear_map-zte", "linear_map-petra"]


def test_both_vgg_choices_differ_in_their_weights_only() -> None:
    networks = [OmegaConf.to_container(composed(c).model.network, resolve=True) for c in ("vgg_unet", "vgg_unet_tl")]
    assert networks[0] == {"_target_": "sct.models.vgg_unet.VggUNet", "encoder_weights": None}
    assert networks[1] == {"_target_": "sct.models.vgg_unet.VggUNet", "encoder_weights": "imagenet"}
