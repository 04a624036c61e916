"""`evaluate=volume`: whole volumes of the test participants, predicted from the MR alone and scored against the CT."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sct.core.errors import SctError
from sct.core.files import write_json, write_text

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EVALUATIONS", "evaluate_volumes"]

EVALUATIONS = ("slices", "volume")
_PRECISIONS = {"32-true": "float32", "bf16-mixed": "bfloat16"}
_COLUMNS = ("participant_id", "mask", "protocol", "volume", "figure", "value")


def evaluate_volumes(
    network: "nn.Module", config: Mapping[str, Any], store_settings: Mapping[str, Any], tested: list[str], folder: Path
) -> None:
    """Predict and score the volume of each test participant; write `volumes.json` and, in rows, `volumes.csv`.

    Args:
        network: Trained without them.
        config: The resolved configuration.
        store_settings: How slices are made.
        tested: The participants.
        folder: The run folder.

    Raises:
        SctError: A volume cannot be used.
    """
    from sct.cohorts.cohort import read_cohort
    from sct.preparation.settings import PrepareSettings
    from sct.synthesis.ensemble import ensemble_of
    from sct.synthesis.evaluation import evaluate_volume
    from sct.synthesis.plane_predictions import Options

    cohort, trainer = config["cohort"], config["trainer"]
    ensemble = ensemble_of([network.eval()], PrepareSettings.from_plain(store_settings))
    options = Options(
        device={"gpu": "cuda"}.get(trainer["accelerator"], trainer["accelerator"]),
        precision="float32" if config["loss"]["name"] == "none" else _PRECISIONS.get(trainer["precision"], "auto"),
    )
    skips = config["prepare"]["on_error"] == "skip"
    participants = {
        participant.participant_id: participant
        for participant in read_cohort(Path(cohort["root"]), cohort["name"], cohort.get("where"), skips).participants
    }
    scores = {}
    for name in tested:
        try:
            scores[name] = evaluate_volume(participants[name], ensemble, options)
        except SctError as error:
            raise SctError(f"evaluate=volume: {name}: {error}") from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, found in scores.items():
        for mask, scored in (("mr", found), (found["ct_mask"]["source"], found["ct_mask"])):
            for protocol, volumes in scored["protocols"].items():
                for volume, figures in volumes.items():
                    for figure, value in _flat(figures):
                        writer.writerow([name, mask, protocol, volume, figure, "" if value is None else value])
    write_text(folder / "volumes.csv", text.getvalue())
    write_json(folder / "volumes.json", scores)


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
