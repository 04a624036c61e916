"""`python -m sct.predict MR OUT --checkpoint FILE`: a synthetic CT of a new MR, without any CT."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sct._door import typer_door

__all__ = ["main"]


class _Planes(StrEnum):
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    ALL = "all"


class _Fusion(StrEnum):
    MEAN = "mean"
    MEDIAN = "median"
    BONE_WEIGHTED = "bone_weighted"


class _Precision(StrEnum):
    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def _predict(
    mr: Annotated[Path, typer.Argument(help="MR volume (.nii.gz .nii .mha .mhd .nrrd), or a folder with a series.")],
    out: Annotated[Path, typer.Argument(help="Synthetic CT to write (.nii.gz .nii .mha .nrrd), int16 HU.")],
    checkpoint: Annotated[list[Path], typer.Option(help="A best.ckpt of sct.run; several are an ensemble.")],
    planes: Annotated[_Planes, typer.Option(help="Planes to predict in.")] = _Planes.ALL,
    fusion: Annotated[_Fusion, typer.Option(help="How the planes become one volume.")] = _Fusion.MEAN,
    mask: Annotated[str, typer.Option(help="Head mask: auto (from the MR), none, or a volume file.")] = "auto",
    reference: Annotated[Path | None, typer.Option(help="CT of the patient, to score against.")] = None,
    dicom: Annotated[Path | None, typer.Option(help="Also write a DICOM CT series into this new folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = "auto",
    precision: Annotated[_Precision, typer.Option(help="auto: bfloat16 where it is faster.")] = _Precision.AUTO,
    viewer: Annotated[bool, typer.Option(help="Write an HTML page to look at the volumes.")] = True,
    allow: Annotated[
        list[str] | None, typer.Option(help="Package of your own with the network; its code is run.", metavar="PACKAGE")
    ] = None,
) -> None:
    """Predict a CT from a bone MR, on the MR's own grid, in HU; air (-1000 HU) outside the head.

    Beside OUT: <stem>_uncertainty.* (disagreement of planes and checkpoints, standard deviation in HU),
    <stem>_preview.png, <stem>.json (what was done, warnings, scores) and <stem>_viewer.html.

    Inner air saturates at the low end of the network's window (-500 HU). Research only: not for diagnosis.
    """
    from sct.slices.planes import PLANES
    from sct.synthesis.outputs import Request, predict_file
    from sct.synthesis.plane_predictions import Options

    options = Options(
        planes=PLANES if planes is _Planes.ALL else (str(planes),),
        fusion=str(fusion),
        device=device,
        precision=str(precision),
        progress=True,
    )
    request = Request(mr, out, checkpoint, mask, reference, dicom, viewer, allow or ())
    synthesis, record = predict_file(request, options)
    for line in synthesis.warnings:
        print(f"warning: {line}", file=sys.stderr)
    if "scores" in record:
        print(record["scores"]["note"])
        for protocol, rows in record["scores"]["protocols"].items():
            mae_hu = rows["fused"]["mae_hu"]
            print(f"{protocol}: MAE {'undefined' if mae_hu is None else f'{mae_hu:.1f} HU'} (fused)")
    print(f"{out}: {sum(record['timings_s'].values()):.1f} s")


def main() -> None:
    """The door's entry point."""
    typer_door(_predict)


if __name__ == "__main__":
    main()
