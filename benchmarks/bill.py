"""The study's bill: what the paper's 360 cells cost, from one measured cell of each combination."""

from typing import Any

__all__ = ["LOSSES", "MODELS", "bill"]

MODELS, LOSSES = ("light_unet", "vgg_unet", "vgg_unet_tl"), ("mae", "mse", "mix")
CELLS_PER_COMBINATION = 40  # 10 seeds x 4 folds
BILL_LIMIT_H = 6.0


def bill(cells: list[dict[str, Any]]) -> str:
    """Seconds of each combination, and hours of the paper's 360 cells."""
    lines = [
        "## The study's bill\n",
        "Seed 0, fold 0 of each combination, from the start of the command to its end.\n",
        "| model | loss | s per cell | of it epochs | epochs | slices/s | MAE HU | Dice |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for cell in cells:
        name = f"{cell['model']}{' (random weights stand in)' if cell['stands_in'] else ''}"
        figures = [f"{cell[key]:.1f}" for key in ("seconds", "training_s")] + [str(cell["epochs"])]
        figures += [_or_dash(cell[key], form) for key, form in (("train_slices_per_s", ".0f"), ("mae_hu", ".1f"))]
        figures.append(_or_dash(cell["bone_dice"], ".3f"))
        lines.append(f"| {name} | {cell['loss']} | {' | '.join(figures)} |")
    hours = sum(cell["seconds"] for cell in cells) * CELLS_PER_COMBINATION / 3600
    n = len(cells) * CELLS_PER_COMBINATION
    lines.append(f"\n{n} cells ({len(cells)} of 9 combinations, 10 seeds, 4 folds): {hours:.2f} GPU-hours")
    if len(cells) == len(MODELS) * len(LOSSES):
        lines[-1] += f" (at most {BILL_LIMIT_H:g}: {'met' if hours <= BILL_LIMIT_H else '**missed**'})"
    return "\n".join(lines) + "\n"


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
