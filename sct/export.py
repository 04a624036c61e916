"""`python -m sct.export CHECKPOINT OUT.onnx`: a checkpoint's network as ONNX, with what is needed to use it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sct._door import typer_door
from sct.core.errors import SctError
from sct.synthesis.notes import DISCLAIMER

if TYPE_CHECKING:
    from torch import nn

__all__ = ["export_onnx", "main"]

MULTIPLE = 32
"""Height and width are free multiples of it: every network of ours takes these."""


def export_onnx(checkpoint: Path, out: Path, allow: Sequence[str] = ()) -> None:
    """Write the network of a checkpoint as one ONNX file, atomically.

    Input `mr` and output `sct` are gray 0..1, float32 (batch, 1, height, width); batch is free, height and width are
    multiples of 32. The file's metadata say how gray becomes HU, how the MR was prepared, and that it is no medical
    device.

    Args:
        checkpoint: A checkpoint of `sct run`.
        out: The ONNX file; its suffix must be .onnx.
        allow: Packages beside `sct` whose networks may be built.

    Raises:
        SctError: The checkpoint cannot be used, the network cannot be exported, or the file cannot be written.
    """
    import onnx

    from sct.core.files import atomic_path
    from sct.training.checkpoint import load_network

    if out.suffix != ".onnx":
        raise SctError(f"{out}: the output's name must end in .onnx")
    loaded = load_network(checkpoint, allow)
    model = _onnx_model(loaded.network, checkpoint)
    onnx.helper.set_model_props(model, _metadata(loaded.hyper_parameters))
    model.doc_string = DISCLAIMER
    with atomic_path(out) as temporary:
        onnx.save(model, str(temporary))


def _onnx_model(network: "nn.Module", checkpoint: Path) -> Any:
    """The network as an ONNX model protocol buffer."""
    import contextlib
    import io
    import logging
    import warnings

    import torch

    from sct.baselines.baseline import Baseline

    if isinstance(network, Baseline):
        raise SctError(
            f"{checkpoint}: holds the classical method {type(network).__name__}, which is no network; only networks "
            "are exported"
        )
    shape = {axis: torch.export.Dim(name) * MULTIPLE for axis, name in ((2, "height"), (3, "width"))}
    dynamic_shapes = ({0: torch.export.Dim("batch")} | shape,)
    example = torch.rand(2, 1, 2 * MULTIPLE, 3 * MULTIPLE, generator=torch.Generator().manual_seed(0))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            program = torch.onnx.export(
                network.eval(),
                (example,),
                input_names=["mr"],
                output_names=["sct"],
                dynamic_shapes=dynamic_shapes,
                dynamo=True,
                verbose=False,
            )
    except ImportError as error:
        raise SctError(f"exporting needs the package {error.name}: pip install onnx onnxscript") from error
    except Exception as error:  # the exporter wraps whatever the network's operators raise
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise SctError(
            f"{checkpoint}: {type(network).__name__} cannot be exported for free image sizes ({reason[:200]})"
        ) from error
    assert program is not None
    return program.model_proto


def _metadata(hyper_parameters: dict[str, Any]) -> dict[str, str]:
    """What a user of the file must know, as the strings that ONNX keeps."""
    import json

    from sct import __version__
    from sct.core.gray import Window

    prepare = hyper_parameters.get("prepare") or {}
    window = Window(**prepare.get("window", {}))
    domain = hyper_parameters.get("domain") or {}
    values = {
        "disclaimer": DISCLAIMER,
        "gray_to_hu": f"HU = {window.lowest_hu:g} + {window.width_hu:g} * sct",
        "window_level_hu": window.level_hu,
        "window_width_hu": window.width_hu,
        "spacing_mm": prepare.get("spacing_mm"),
        "size_px": prepare.get("size_px"),
        "input_multiple_px": MULTIPLE,
        "prepare": prepare,
        "techniques": domain.get("techniques"),
        "model": hyper_parameters["model"],
        "sct_version": hyper_parameters.get("sct_version"),
        "exported_by": f"bone-sct {__version__}",
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
        if value is not None
    }


def _export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of a run: best.ckpt.", show_default=False)],
    out: Annotated[Path, typer.Argument(help="ONNX file to write.", show_default=False)],
    allow: Annotated[
        list[str] | None, typer.Option(help="Package of your own with the network; its code is run.", metavar="PACKAGE")
    ] = None,
) -> None:
    """Write a checkpoint's network as ONNX: gray MR slices in, gray synthetic CT slices out."""
    export_onnx(checkpoint, out, allow or ())
    print(f"{out}: {DISCLAIMER}")


def main() -> None:
    """The door's entry point."""
    typer_door(_export)


if __name__ == "__main__":
    main()
