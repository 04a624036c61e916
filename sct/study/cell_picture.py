"""The picture of one cell: test slices as rows of MR, CT, sCT and difference."""

from typing import TYPE_CHECKING

from sct.study.examples import Examples
from sct.study.pictures import difference_hu, difference_limit_hu

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cell_picture"]


def cell_picture(examples: Examples, title: str) -> "Figure":
    """Each example in a row: MR, CT, sCT, and sCT - CT in HU (red: sCT darker than CT, blue: brighter).

    Args:
        examples: At least one test slice.
        title: What stands above.
    """
    from matplotlib.figure import Figure

    differences = [difference_hu(examples, k) for k in range(len(examples.participant_ids))]
    limit_hu = difference_limit_hu(differences)
    figure = Figure(figsize=(7.6, 1.75 * len(differences) + 0.5), layout="constrained")
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots(len(differences), 4, squeeze=False)
    for k, (name, plane, index) in enumerate(examples.keys()):
        for axis, image in zip(axes[k], (examples.mr[k], examples.ct[k], examples.sct[k]), strict=False):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        shown = axes[k, 3].imshow(differences[k], cmap="RdBu", vmin=-limit_hu, vmax=limit_hu, interpolation="nearest")
        axes[k, 0].set_ylabel(f"{name}\n{plane} {index}", fontsize=7)
        for axis in axes[k]:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(False)
    for axis, name in zip(axes[0], ("MR", "CT", "sCT", "sCT - CT"), strict=True):
        axis.set_title(name, fontsize=8)
    bar = figure.colorbar(shown, ax=axes[:, 3], shrink=0.7, aspect=30)
    bar.set_label("HU; red: sCT darker, blue: sCT brighter", fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return figure
