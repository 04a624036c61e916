"""`python -m sct.surface REFERENCE TEST OUT_DIR`: bone surfaces of two heads and how far they deviate."""

from pathlib import Path
from typing import Annotated

import typer

from sct._door import typer_door

__all__ = ["main"]


def _command(
    reference: Annotated[Path, typer.Argument(help="CT in HU: NIfTI, MetaImage, NRRD or a DICOM folder.")],
    test: Annotated[Path, typer.Argument(help="Synthetic CT in HU in the same world coordinates; any grid.")],
    out_dir: Annotated[Path, typer.Argument(help="Folder for meshes, heat map, viewer and report.")],
    bone_hu: Annotated[float, typer.Option(help="Bone is at or above this, in HU.")] = 300.0,
    tolerance_mm: Annotated[float, typer.Option(help="The share within +- this is reported, in mm.")] = 2.0,
    min_part_mm3: Annotated[float, typer.Option(help="Separate parts of bone below this volume are left out.")] = 100.0,
    fill_cavity_mm3: Annotated[float, typer.Option(help="Cavities inside bone up to this volume are filled.")] = 0.0,
    smooth: Annotated[bool, typer.Option("--smooth", help="Smooth the meshes for print (not those compared).")] = False,
    decimate: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of triangles taken from the meshes for print.")
    ] = 0.0,
    regions: Annotated[Path | None, typer.Option(help="Label map; figures by region too.")] = None,
    region_names: Annotated[
        Path | None, typer.Option(help="Table with columns index and name; default: the label map's name with .tsv.")
    ] = None,
) -> None:
    """Make the bone surfaces of REFERENCE and TEST and measure how far they deviate.

    OUT_DIR gets surface.json (all figures), heatmap.png, viewer.html, {reference,test}.stl and .ply for print, and
    {reference,test}_deviation.ply with colours. Deviation is that of every vertex of the reference surface from the
    nearest place on the test surface; negative where the test lacks bone. Meshes are in mm, axes RAS.
    """
    import sct
    from sct.core.files import check_writable
    from sct.io.volumes import read_volume
    from sct.surfaces.bone import BoneSettings
    from sct.surfaces.comparison import SurfaceSettings, compare
    from sct.surfaces.niivue import load_niivue
    from sct.surfaces.regions import read_region_names
    from sct.surfaces.results import write_comparison
    from sct.surfaces.table import table_text

    settings = SurfaceSettings(
        bone=BoneSettings(bone_hu, min_part_mm3, fill_cavity_mm3),
        tolerance_mm=tolerance_mm,
        smooth=smooth,
        decimate=decimate,
    )
    check_writable(out_dir)
    load_niivue()
    volumes = read_volume(reference), read_volume(test)
    labels = None if regions is None else read_volume(regions)
    names = {} if regions is None else read_region_names(regions, region_names)
    comparison = compare(*volumes, settings, labels, names, names=(str(reference), str(test)))
    about = {
        "sct_version": sct.__version__,
        # a file's name may be a patient's, so the report describes its inputs without it
        **{
            name: {"shape": list(volume.shape), "spacing_mm": [round(float(mm), 6) for mm in volume.spacing_mm]}
            for name, volume in zip(("reference", "test"), volumes, strict=True)
        },
    }
    figures = write_comparison(comparison, *volumes, settings, out_dir, about)
    print(table_text(figures))
    for name, check in figures["print"].items():
        state = "watertight" if check["watertight"] else "NOT watertight"
        size = " x ".join(f"{mm:.0f}" for mm in check["size_mm"])
        pieces = f"{check['n_shells'] - check['n_cavities']} pieces, {check['n_cavities']} cavities"
        print(f"{name}.stl: {state}, {pieces}, {check['volume_mm3'] / 1000:.0f} cm3, {size} mm")
    print(f"{out_dir}")


def main() -> None:
    """The door."""
    typer_door(_command)


if __name__ == "__main__":
    main()
