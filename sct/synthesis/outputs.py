"""From files to files: everything that `sct.predict` writes, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sct.cohorts.headers import guess_technique
from sct.core.errors import SctError
from sct.core.files import check_writable, staged, write_json
from sct.core.gray import Window
from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.io.dicom_series import find_series
from sct.io.dicom_values import header_text
from sct.io.dicom_write import require_perpendicular
from sct.io.volumes import VOLUME_SUFFIXES, read_volume, volume_suffix, write_volume
from sct.synthesis.ensemble import load_ensemble
from sct.synthesis.evaluation import read_reference, score_synthesis
from sct.synthesis.grids import AIR_HU
from sct.synthesis.notes import DISCLAIMER, saturation_note
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
    """

    mr: Path
    out: Path
    checkpoints: Sequence[Path]
    mask: str = "auto"
    reference: Path | None = None
    dicom: Path | None = None
    viewer: bool = True


def predict_file(request: Request, options: Options) -> tuple[Synthesis, dict[str, Any]]:
    """Read, predict, score and write.

    Returns:
        The result and its record.

    Raises:
        SctError: An input cannot be used, or an output cannot be written; nothing is left behind then.
    """
    suffix = _checked_suffix(request.out)
    _refuse_to_replace_inputs(request, suffix)
    check_writable(request.out.parent)
    if request.dicom is not None:
        _check_dicom_folder(request.dicom)
    timings = Timings()
    with timings.step("read"):
        mr = read_volume(request.mr)
        if request.dicom is not None:
            require_perpendicular(mr, str(request.mr))
        technique = _technique(request.mr)
        mask = request.mask if request.mask in ("auto", "none") else read_volume(Path(request.mask))
        reference = None if request.reference is None else read_reference(request.reference)
    with timings.step("load"):
        ensemble = load_ensemble(request.checkpoints)
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
    stem = request.out.name[: -len(suffix)]
    sct = Volume(np.rint(synthesis.hu.data).astype(np.int16), mr.affine)
    with staged(request.out.parent, last=f"{stem}.json") as folder:
        with timings.step("write"):
            write_volume(sct, folder / request.out.name)
            write_volume(synthesis.uncertainty_hu, folder / f"{stem}_uncertainty{suffix}")
            write_preview(folder / f"{stem}_preview.png", synthesis, window, reference)
        if request.viewer:
            with timings.step("viewer"):
                _write_viewer(folder / f"{stem}_viewer.html", mr, synthesis, window, reference)
        mr_format = "DICOM" if request.mr.is_dir() else volume_suffix(request.mr) or ""
        record = record_of(mr, mr_format, ensemble, options, synthesis, scores)
        write_json(folder / f"{stem}.json", record)
        if request.dicom is not None:
            _write_dicom(sct, request)
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
    if out.is_dir():
        raise SctError(f"{out}: is a folder; name the file of the synthetic CT")
    return suffix


def _refuse_to_replace_inputs(request: Request, suffix: str) -> None:
    stem = request.out.name[: -len(suffix)]
    outputs = [request.out, request.out.with_name(f"{stem}_uncertainty{suffix}")]
    inputs = [request.mr, request.reference, None if request.mask in ("auto", "none") else Path(request.mask)]
    for given in inputs:
        if given is not None and any(given.resolve() == made.resolve() for made in outputs):
            raise SctError(f"{request.out}: its outputs would replace the input {given}; choose another name")


def _check_dicom_folder(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SctError(f"--dicom {folder}: exists and is not an empty folder; a series goes into a folder of its own")
    check_writable(folder.parent)


def _write_dicom(sct: Volume, request: Request) -> None:
    """The series, made in a hidden folder that takes its place when it is complete."""
    from sct.io.dicom_write import write_ct_series

    assert request.dicom is not None
    with staged(request.dicom.parent) as folder:
        made = folder / request.dicom.name
        write_ct_series(sct, made, source=request.mr if request.mr.is_dir() else None)
        _check_dicom_folder(request.dicom)  # it may have been filled since the start
        if request.dicom.is_dir():
            request.dicom.rmdir()


def _write_viewer(path: Path, mr: Volume, synthesis: Synthesis, window: Window, reference: Volume | None) -> None:
    from sct.surfaces.bone import BoneSettings, bone_surface
    from sct.surfaces.viewer import ViewerLayer, write_viewer

    ct = {"colormap": "gray", "cal_min": window.lowest_hu, "cal_max": window.highest_hu}
    low, high = (float(value) for value in np.percentile(np.asarray(mr.data, np.float32), (1, 99.5)))
    layers = [
        ViewerLayer("MR", mr, "gray", low, max(high, low + 1e-6)),
        ViewerLayer("synthetic CT", synthesis.hu, **ct),  # type: ignore[arg-type]
    ]
    if reference is not None:
        real, seen = resample(reference, mr.shape, mr.affine, order=1, fill=AIR_HU)
        layers.append(ViewerLayer("CT", Volume(real, mr.affine), **ct, opacity=0.0))  # type: ignore[arg-type]
        limits = (window.lowest_hu, window.highest_hu)
        # Red: the synthetic CT is darker than the CT, blue: brighter, as in the paper's figures.
        difference = np.where(seen, np.clip(real, *limits) - np.clip(synthesis.hu.data, *limits), np.float32(0))
        layers.append(
            ViewerLayer("CT - synthetic CT", Volume(difference, mr.affine), "blue2red", -500.0, 500.0, opacity=0.0)
        )
    layers.append(ViewerLayer("uncertainty", synthesis.uncertainty_hu, "hot", 0.0, 300.0, opacity=0.0))
    try:
        mesh = bone_surface(synthesis.hu, BoneSettings(), "synthetic CT")
    except SctError:
        mesh = None  # a volume without bone is still worth looking at
    note = " ".join([DISCLAIMER, saturation_note(window), *(f"Warning: {line}." for line in synthesis.warnings)])
    write_viewer(path, layers, mesh, "Synthetic CT", note)
