"""From files to files: everything that `sct.predict` writes, all or nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sct.cohorts.headers import guess_technique
from sct.core.errors import SctError
from sct.core.files import check_writable, staged, write_json
from sct.core.volume import Volume
from sct.io.dicom_series import find_series
from sct.io.dicom_values import header_text
from sct.io.dicom_write import require_perpendicular
from sct.io.volumes import VOLUME_SUFFIXES, read_volume, volume_suffix, write_volume
from sct.synthesis.ensemble import load_ensemble
from sct.synthesis.evaluation import read_reference, score_synthesis
from sct.synthesis.page import write_page
from sct.synthesis.plane_predictions import Options, Timings
from sct.synthesis.preview import write_preview
from sct.synthesis.record import record_of
from sct.synthesis.synthesize import Synthesis, synthesize

__all__ = ["Request", "predict_file"]

_SUFFIXES = tuple(suffix for suffix in VOLUME_SUFFIXES if suffix != ".mhd")  # one file, that can be renamed


@dataclass(frozen=True)
class Request:
    """What to predict and to write.

    Attributes:
        mr: A volume file or a folder with a DICOM series.
        out: The synthetic CT; `<stem>_uncertainty`, `<stem>_preview.png`, `<stem>.json` and `<stem>_viewer.html` stand
            beside it.
        checkpoints: One, or an ensemble.
        mask: `auto`, `none`, or a volume file.
        reference: A CT to score against.
        dicom: A folder for the synthetic CT as a DICOM series.
        viewer: Whether to write the page.
        allow: Packages beside `sct` whose networks may be built, which runs their code.
    """

    mr: Path
    out: Path
    checkpoints: Sequence[Path]
    mask: str = "auto"
    reference: Path | None = None
    dicom: Path | None = None
    viewer: bool = True
    allow: Sequence[str] = ()


def predict_file(request: Request, options: Options) -> tuple[Synthesis, dict[str, Any]]:
    """Read, predict, score and write.

    Returns:
        The result and its record.

    Raises:
        SctError: An input cannot be used, or an output cannot be written; nothing is left behind then.
    """
    suffix = _checked_suffix(request.out)
    stem = request.out.name[: -len(suffix)]
    names = [request.out.name, f"{stem}_uncertainty{suffix}", f"{stem}_preview.png", f"{stem}.json"]
    names += [f"{stem}_viewer.html"] if request.viewer else []
    _check_places(request, [request.out.with_name(name) for name in names])
    timings = Timings()
    with timings.step("read"):
        mr = read_volume(request.mr)
        if request.dicom is not None:
            require_perpendicular(mr, str(request.mr))
        technique = _technique(request.mr)
        mask = request.mask if request.mask in ("auto", "none") else read_volume(Path(request.mask))
        reference = None if request.reference is None else read_reference(request.reference)
    with timings.step("load"):
        ensemble = load_ensemble(request.checkpoints, request.allow)
    synthesis = synthesize(mr, ensemble, options, mask, str(request.mr), timings, technique)
    window = ensemble.settings.window
    scores = None
    if reference is not None and request.reference is not None:
        with timings.step("score"):
            scores = score_synthesis(
                synthesis.isotropic,
                synthesis.mask,
                synthesis.predictions,
                ensemble,
                options,
                reference,
                request.reference,
            )
    sct = Volume(np.rint(synthesis.hu.data).astype(np.int16), mr.affine)
    with _series_beside(sct, request), staged(request.out.parent, last=f"{stem}.json") as folder:
        with timings.step("write"):
            write_volume(sct, folder / request.out.name)
            write_volume(synthesis.uncertainty_hu, folder / f"{stem}_uncertainty{suffix}")
            write_preview(folder / f"{stem}_preview.png", synthesis, window, reference)
        if request.viewer:
            with timings.step("viewer"):
                write_page(folder / f"{stem}_viewer.html", mr, synthesis, window, reference)
        mr_format = "DICOM" if request.mr.is_dir() else volume_suffix(request.mr) or ""
        record = record_of(mr, mr_format, ensemble, options, synthesis, scores)
        write_json(folder / f"{stem}.json", record)
        if request.dicom is not None:
            _check_dicom_folder(request.dicom)  # it may have been filled since the start
    return synthesis, record


def _technique(mr: Path) -> str | None:
    """What the header of a DICOM series reads as; None for a volume file, which does not say."""
    if not mr.is_dir():
        return None
    header = next(one.header for one in find_series(mr) if not one.is_localizer)
    modality = header_text(header, "Modality")
    if modality not in ("", "MR"):
        return modality
    return guess_technique(header) or "none of ZTE, UTE and GRE"


def _checked_suffix(out: Path) -> str:
    suffix = volume_suffix(out)
    if suffix not in _SUFFIXES:
        raise SctError(f"{out}: unknown file type; the synthetic CT's name ends in one of {' '.join(_SUFFIXES)}")
    return suffix


def _check_places(request: Request, outputs: Sequence[Path]) -> None:
    """Find out before the prediction what would spoil an input, or keep an output from its place.

    Raises:
        SctError: Names the place.
    """
    inputs = [request.mr, *request.checkpoints, *([] if request.reference is None else [request.reference])]
    inputs += [] if request.mask in ("auto", "none") else [Path(request.mask)]
    for given in inputs:
        if given.resolve() in [made.resolve() for made in outputs]:
            raise SctError(f"{request.out}: its outputs would replace the input {given}; choose another name")
    for made in outputs:
        if made.is_dir():
            raise SctError(f"{made}: is a folder, where a file of the results goes; choose another name")
    check_writable(request.out.parent)
    if request.dicom is None:
        return
    _check_dicom_folder(request.dicom)
    series = request.dicom.resolve()
    for made in outputs:
        if series == made.resolve() or series in made.resolve().parents or made.resolve() in series.parents:
            raise SctError(f"--dicom {request.dicom}: {made} goes there; a series goes into a folder of its own")
    if request.mr.is_dir() and request.mr.resolve() in series.parents:
        raise SctError(
            f"--dicom {request.dicom}: lies in the MR's folder {request.mr}, where two series would be found; choose "
            "another folder"
        )


def _check_dicom_folder(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SctError(f"--dicom {folder}: exists and is not an empty folder; a series goes into a folder of its own")
    check_writable(folder.parent)


@contextmanager
def _series_beside(sct: Volume, request: Request) -> Iterator[None]:
    """Make the series in a hidden folder; it takes its place after the block, when the other files have theirs."""
    from sct.io.dicom_write import write_ct_series

    if request.dicom is None:
        yield
        return
    with staged(request.dicom.parent) as folder:
        write_ct_series(sct, folder / request.dicom.name, source=request.mr if request.mr.is_dir() else None)
        yield
