"""The head as a whole: which structures there are, and in which order they are painted."""

from sct.head_phantom import shapes
from sct.head_phantom.canvas import Canvas
from sct.head_phantom.head import Head
from sct.head_phantom.shapes import capsule, ellipsoid, smooth_min
from sct.head_phantom.tissue import Tissue

__all__ = ["paint_head"]


def paint_head(canvas: Canvas, head: Head) -> None:
    """Fill the canvas with the tissues of a head, from the innermost to the outermost."""
    x, ax, y, z = canvas.x, canvas.ax, canvas.y, canvas.z
    cavity = ellipsoid(x, y, z, (0, -4, 50), (68, 85, 66))
    cavity = smooth_min(cavity, ellipsoid(ax, y, z, (34, 15, 20), (27, 34, 26)), 10)
    cavity = smooth_min(cavity, ellipsoid(x, y, z, (0, -42, 12), (52, 38, 34)), 10)
    canvas.paint(Tissue.AIR, ellipsoid(ax, y, z, (29, 56, -12), (14, 16, 15)))
    canvas.paint(Tissue.AIR, ellipsoid(ax, y, z, (6, 68, -8), (4, 24, 12)))
    canvas.paint(Tissue.AIR, capsule(x, y, z, (0, 26, -5), (0, 15, -100), 8, 7))
    canvas.paint(Tissue.VITREOUS, ellipsoid(ax, y, z, (31, 66, 16), (12, 12, 12)))
    canvas.paint(Tissue.FAT, capsule(ax, y, z, (31, 66, 16), (16, 38, 15), 16, 5))
    canvas.paint(Tissue.WHITE, cavity + 7)
    canvas.paint(Tissue.GREY, cavity + 3)
    canvas.paint(Tissue.CSF, cavity)
    thickness = head.thickness_mm
    canvas.paint(Tissue.CORTICAL, cavity - 0.25 * thickness)
    canvas.paint(Tissue.TRABECULAR, cavity - 0.7 * thickness)
    canvas.paint(Tissue.CORTICAL, cavity - thickness)
    face = smooth_min(ellipsoid(x, y, z, (0, 58, -5), (56, 32, 40)), ellipsoid(x, y, z, (0, 45, -65), (46, 42, 40)), 10)
    arch = shapes.arch_distance(ax, y, 84, 40, 60)
    jaw = shapes.smooth_max(abs(arch) - 5, abs(z + 80) - 14, 3)
    canvas.paint(Tissue.CORTICAL, shapes.smooth_max(jaw, -y + 10, 2))
    upper = shapes.smooth_max(abs(arch + 2) - 5, abs(z + 36) - 14, 3)
    canvas.paint(Tissue.CORTICAL, shapes.smooth_max(upper, -y + 30, 2))
    canvas.paint(Tissue.CORTICAL, abs(ellipsoid(ax, y, z, (29, 56, -12), (16, 18, 17))) - 1.5)
    canvas.paint(Tissue.CORTICAL, capsule(x, y, z, (0, -8, -25), (0, -5, -140), 10, 11))
    neck = shapes.smooth_max(capsule(x, y, z, (0, -5, 0), (0, -8, -170), 58, 55), z - 10, 10)
    skin = smooth_min(smooth_min(cavity - thickness - 6, face, 10), neck, 15)
    canvas.paint(Tissue.MUSCLE, skin + 6)
    canvas.paint(Tissue.FAT, skin + 1.8)
    canvas.paint(Tissue.SKIN, skin)
    canvas.paint_share(Tissue.OUTSIDE, canvas.rest.copy())
