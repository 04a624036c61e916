"""Scores of whole volumes (`evaluate=volume`) over participants: by plane, by mask, and what uncertainty tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sct.core.errors import SctError
from sct.core.files import read_json
from sct.study.cells import Cell
from sct.study.paper import METRICS, Metric
from sct.study.results import Row, Study
from sct.study.table import UNDEFINED, text_table

__all__ = ["VolumeTable", "volume_tables"]

_PROTOCOLS = ("slices", "synthrad", "bone")
_METRICS = (
    *METRICS[:3],
    Metric("psnr_db", "PSNR", "dB", 1.0, 1, False),
    Metric("ssim", "SSIM", "", 1.0, 3, False),
    *METRICS[3:],
)
_UNCERTAINTY = (
    Metric("spearman_r", "Rank correlation with the error", "", 1.0, 3, False),
    Metric("bone_errors_in_top_share", "Bone errors > 300 HU in the 10 % most uncertain voxels", "%", 100.0, 1, False),
)

Scores = Mapping[str, Any]
"""What `volumes.json` holds of one participant."""


@dataclass(frozen=True)
class VolumeTable:
    """A table ready for print.

    Attributes:
        title: What it shows.
        note: What a reader must know.
        headings: Of its columns; all but the first `n_texts` are numbers.
        lines: Its cells as text.
        n_texts: Columns of text at the left.
    """

    title: str
    note: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    n_texts: int

    def markdown(self) -> str:
        """GitHub Markdown."""
        return f"## {self.title}\n\n{self.note}\n\n{text_table(self.headings, self.lines, self.n_texts)}"


def volume_tables(study: Study, rows: Sequence[tuple[str, Row]], runs: Path) -> list[VolumeTable]:
    """Tables of the cells that were evaluated on whole volumes; none when there are no such cells.

    A participant's value is the mean over its repetitions; printed are mean and SD over participants. Figures that are
    undefined for somebody are printed as undefined.

    Args:
        study: What was read.
        rows: Name for print and repetitions, in order.
        runs: The folder of run folders.

    Raises:
        SctError: A volumes.json cannot be read.
    """
    found = [(name, scores) for name, row in rows if (scores := _scores(study, row, runs))]
    if not found:
        return []
    notes = sorted(
        {str(one.get("note", "")) for _, scores in found for repeated in scores.values() for one in repeated}
    )
    spread = "Mean ± SD over participants."
    return [
        VolumeTable(
            "Whole volumes, predicted from the MR alone",
            f"{spread} `slices` is the protocol of the table above, `synthrad` all voxels of the body, `bone` those "
            f"that are bone in the CT. {' '.join(notes)}",
            ("Row", "n", "Protocol", "Planes", *(metric.heading for metric in _METRICS)),
            tuple(
                (name, str(len(scores)), protocol, volume, *_printed(scores, ("protocols", protocol, volume), _METRICS))
                for name, scores in found
                for protocol in _PROTOCOLS
                for volume in _volumes(scores, protocol)
            ),
            4,
        ),
        VolumeTable(
            "What the CT-derived mask is worth",
            f"{spread} Fused planes, the same networks given the mask of training, which comes from the CT, and the "
            "mask that the MR alone gives.",
            ("Row", "n", "Protocol", "Mask from", *(metric.heading for metric in _METRICS)),
            tuple(
                (name, str(len(scores)), protocol, mask, *_printed(scores, (*path, protocol, "fused"), _METRICS))
                for name, scores in found
                for protocol in _PROTOCOLS
                for mask, path in (("MR", ("protocols",)), ("CT", ("ct_mask", "protocols")))
            ),
            4,
        ),
        VolumeTable(
            "What the uncertainty map tells",
            f"{spread} Inside the body; a map that knows nothing has a rank correlation of 0, and a tenth of the bone "
            "errors in its most uncertain tenth.",
            ("Row", "n", *(metric.heading for metric in _UNCERTAINTY)),
            tuple(
                (name, str(len(scores)), *_printed(scores, ("uncertainty",), _UNCERTAINTY)) for name, scores in found
            ),
            2,
        ),
    ]


def _scores(study: Study, row: Row, runs: Path) -> dict[str, list[Scores]]:
    """What each participant's repetitions scored."""
    scores: dict[str, list[Scores]] = {}
    for seed in row.seeds:
        for fold in seed.folds:
            path = (
                Cell(study.cohort, row.experiment, row.model, row.loss, seed.seed, fold).folder(runs) / "volumes.json"
            )
            for name, found in read_json(path).items() if path.exists() else ():
                scores.setdefault(name, []).append(found)
    return scores


def _volumes(scores: Mapping[str, Sequence[Scores]], protocol: str) -> list[str]:
    """The planes that were predicted, and what was made of them."""
    return list(_at(next(iter(scores.values()))[0], ("protocols", protocol)))


def _printed(scores: Mapping[str, Sequence[Scores]], path: Sequence[str], metrics: Sequence[Metric]) -> tuple[str, ...]:
    """Each metric as mean ± SD over participants."""
    nodes = [[_at(one, path) for one in repeated] for repeated in scores.values()]
    texts = []
    for metric in metrics:
        values = [[_value(node, metric.key) for node in repeated] for repeated in nodes]
        defined = [[value for value in repeated if value is not None] for repeated in values]
        if any(len(some) < len(all_) for some, all_ in zip(defined, values, strict=True)):
            texts.append(UNDEFINED)
            continue
        means = [mean(repeated) * metric.scale for repeated in defined]
        spread = f" ± {stdev(means):.{metric.digits}f}" if len(means) > 1 else ""
        texts.append(f"{mean(means):.{metric.digits}f}{spread}")
    return tuple(texts)


def _at(node: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for key in path:
        if key not in node:
            raise SctError(f"volumes.json: {'.'.join(path)} is missing; remove the file, and sct.run makes it again")
        node = node[key]
    return node


def _value(node: Mapping[str, Any], key: str) -> float | None:
    """A figure, or of the slices' protocol the one inside the mask."""
    value = node.get(key, node.get("in_mask", {}).get(key))
    return None if value is None else float(value)
