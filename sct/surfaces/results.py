"""The folder that tells how two bone surfaces deviate."""

from pathlib import Path
from typing import Any

from sct.core.files import staged, write_json
from sct.core.volume import Volume
from sct.geometry.resample import resample
from sct.surfaces.comparison import Comparison, SurfaceSettings, report
from sct.surfaces.heat_map import color_limit_mm, deviation_colors, write_heat_map
from sct.surfaces.mesh import Mesh
from sct.surfaces.mesh_files import write_mesh
from sct.surfaces.printing import check_for_print, prepare_for_print
from sct.surfaces.table import report_rows
from sct.surfaces.viewer import ViewerLayer, difference_layer, write_viewer

__all__ = ["REPORT_NAME", "write_comparison"]

REPORT_NAME = "surface.json"


def write_comparison(
    comparison: Comparison,
    reference: Volume,
    test: Volume,
    settings: SurfaceSettings,
    folder: Path,
    about: dict[str, Any],
) -> dict[str, Any]:
    """Write meshes, heat map, viewer and, last, the report.

    Everything is made in a hidden folder and moved when it is complete, so that a failure leaves the target as it was.

    Args:
        comparison: From `compare`.
        reference: The reference volume, for the viewer.
        test: The test volume.
        settings: Of the comparison, and how the meshes for print are made.
        folder: Made when missing; files of the same names are replaced.
        about: What else goes at the head of the report, such as the input volumes.

    Returns:
        The report, as written to `surface.json`.

    Raises:
        SctError: A file cannot be written.
    """
    figures = about | report(comparison, settings)
    title = "Deviation of the test from the reference bone surface"
    with staged(folder, last=REPORT_NAME) as made:
        print_checks = {}
        for name, mesh, deviation in (
            ("reference", comparison.reference, comparison.of_reference),
            ("test", comparison.test, comparison.of_test),
        ):
            printable = prepare_for_print(mesh, settings.smooth, settings.decimate)
            print_checks[name] = check_for_print(printable)
            write_mesh(printable, made / f"{name}.stl")
            write_mesh(printable, made / f"{name}.ply")
            colored = Mesh(mesh.points_mm, mesh.faces, deviation_colors(deviation, settings.tolerance_mm))
            write_mesh(colored, made / f"{name}_deviation.ply")
            if name == "reference":
                shown = colored
        figures["print"] = print_checks
        share = figures["reference_to_test"]["per_vertex"]["share_within_tolerance"]
        figures["heat_map_renderer"] = write_heat_map(
            shown,
            made / "heatmap.png",
            settings.tolerance_mm,
            f"{title}: {100 * share:.1f} % within ±{settings.tolerance_mm:g} mm",
        )
        write_viewer(
            made / "viewer.html",
            _layers(reference, test),
            shown,
            title=title,
            note="Surface: bone of the reference, red where the test lacks bone, blue where it has too much, white "
            f"where they agree, gray where not compared. Full colour at {color_limit_mm(settings.tolerance_mm):g} mm.",
            figures=report_rows(figures),
        )
        write_json(made / REPORT_NAME, figures)
    return figures


def _layers(reference: Volume, test: Volume) -> list[ViewerLayer]:
    on_reference, known = resample(test, reference.shape, reference.affine)
    return [
        ViewerLayer("Reference", reference),
        ViewerLayer("Test", test, opacity=0.0),
        difference_layer("Reference - test", reference.data, on_reference, known, reference.affine),
    ]
