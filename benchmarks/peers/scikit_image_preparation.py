"""The same preparation as a scikit-image loop: the peer of `benchmarks/preparation.py`. Imports nothing of sct.

Reads a pair of NIfTI volumes on one isotropic grid, and for each slice of each plane: Otsu, label, the convex image of
the largest region, mask, crop to the smallest square, antialiased resize, window, 8-bit PNG of MR, CT and mask.
"""

import sys
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
from skimage.filters import threshold_otsu
from skimage.io import imsave
from skimage.measure import label, regionprops
from skimage.transform import resize

SIZE_PX = 224
LEVEL_HU, WIDTH_HU = 500.0, 2000.0
TISSUE_HU = -200.0


def prepare(mr_path: Path, ct_path: Path, out: Path, every: int = 1) -> tuple[int, float]:
    """Write the PNGs of one pair's slices, or of every so manieth; returns their number, and the loop's seconds."""
    mr_image, ct_image = (nib.as_closest_canonical(nib.load(path)) for path in (mr_path, ct_path))
    mr = mr_image.get_fdata(dtype=np.float32)
    ct = ct_image.get_fdata(dtype=np.float32)
    if mr.shape != ct.shape or not np.allclose(mr_image.affine, ct_image.affine, atol=1e-3):
        from nibabel.processing import resample_from_to

        mr = resample_from_to(mr_image, ct_image, order=1).get_fdata(dtype=np.float32)
    mr = (mr - mr.min()) / (mr.max() - mr.min())
    out.mkdir(parents=True, exist_ok=True)
    n_slices, start = 0, time.perf_counter()
    for axis, plane in enumerate(("sagittal", "coronal", "axial")):
        for index in range(0, ct.shape[axis], every):
            pair = prepare_slice(np.rot90(mr.take(index, axis)), np.rot90(ct.take(index, axis)))
            if pair is None:
                continue
            for name, image in zip(("mr", "ct", "mask"), pair, strict=True):
                imsave(out / f"{plane}-{index:03d}-{name}.png", image, check_contrast=False)
            n_slices += 1
    return n_slices, time.perf_counter() - start


def prepare_slice(mr: np.ndarray, ct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """8-bit MR, CT and mask of a slice; None without tissue."""
    clipped = np.clip(ct, -1000, 200)
    if clipped.max() <= TISSUE_HU:
        return None
    foreground = clipped > threshold_otsu(clipped)
    if clipped[foreground].mean() <= TISSUE_HU:
        return None
    largest = max(regionprops(label(foreground)), key=lambda region: region.area)
    mask = np.zeros(ct.shape, bool)
    top, left, bottom, right = largest.bbox
    mask[top:bottom, left:right] = largest.image_convex
    side = max(bottom - top, right - left)
    row, col = top - (side - (bottom - top)) // 2, left - (side - (right - left)) // 2
    images = []
    for image, fill in ((np.where(mask, mr, 0), 0.0), (np.where(mask, ct, -500), -500.0), (mask, 0.0)):
        padded = np.pad(image.astype(np.float32), side, constant_values=fill)
        square = padded[row + side : row + 2 * side, col + side : col + 2 * side]
        images.append(resize(square, (SIZE_PX, SIZE_PX), order=1, anti_aliasing=True, preserve_range=True))
    gray_ct = np.clip((images[1] - LEVEL_HU) / WIDTH_HU + 0.5, 0, 1)
    mr8, ct8 = (np.rint(gray * 255).astype(np.uint8) for gray in (np.clip(images[0], 0, 1), gray_ct))
    return mr8, ct8, np.where(images[2] >= 0.5, 255, 0).astype(np.uint8)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    root, target = Path(sys.argv[1]), Path(sys.argv[2])
    names = sys.argv[3:] or sorted(path.parent.name for path in root.glob("*/ct.nii.gz"))
    print(sum(prepare(root / name / "mr.nii.gz", root / name / "ct.nii.gz", target / name)[0] for name in names))
