"""Small heads as smooth functions of world position, on any grid, and networks that need no training."""

import numpy as np
import torch

from sct.core.volume import Volume

SPACING_MM = 4.0


def affine_of(shape, spacing_mm=SPACING_MM, angles_deg=(0, 0, 0), order=(0, 1, 2), flips=(1, 1, 1)):
    """Affine of a grid around the world's origin: axes permuted, flipped, then rotated."""
    a, b, c = np.deg2rad(angles_deg)
    turn_x = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    turn_y = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    turn_z = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    axes = np.array(turn_x) @ np.array(turn_y) @ np.array(turn_z) @ np.eye(3)[:, list(order)]
    affine = np.eye(4)
    affine[:3, :3] = axes * np.broadcast_to(spacing_mm, 3) * np.asarray(flips)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine


def world(shape, affine):
    """World positions (3, X, Y, Z)."""
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"))
    return np.einsum("ij,jxyz->ixyz", affine[:3, :3], indices) + affine[:3, 3].reshape(3, 1, 1, 1)


def smooth_mr(shape, affine):
    """A slowly varying image without air, 0 to 1000, the same function of the world on every grid."""
    x, y, z = world(shape, affine)
    return Volume((500 + 250 * np.sin(x / 25) + 250 * np.cos(y / 30) * np.sin(z / 28)).astype(np.float32), affine)


def radius(shape, affine):
    """1 on the skin, of an egg without left-right, front-back or up-down symmetry."""
    x, y, z = world(shape, affine)
    return np.sqrt(((x - 3) / (32 + 0.08 * y)) ** 2 + ((y + 2) / 42) ** 2 + ((z - 1) / (38 + 0.1 * x)) ** 2)


def head_mr(shape, affine, seed=0):
    """Scalp, skull, brain and noisy air."""
    r = radius(shape, affine)
    signal = np.select([r < 0.75, r < 0.9, r < 1.0], [700 + world(shape, affine)[0], 250.0, 900.0], 0.0)
    noise = np.random.default_rng(seed).normal(0, 15, (2, *shape))
    return Volume(np.hypot(signal + noise[0], noise[1]).astype(np.float32), affine)


def head_ct(shape, affine):
    """The same head in HU."""
    r = radius(shape, affine)
    return Volume(np.select([r < 0.75, r < 0.9, r < 1.0], [40.0, 1200.0, 20.0], -1000.0).astype(np.float32), affine)


class Square(torch.nn.Module):
    """Pointwise: x -> x^2."""

    def forward(self, x):
        return x * x


class Smoothing(torch.nn.Module):
    """A network that looks around and knows up from down: a blur that is not symmetric."""

    def __init__(self):
        super().__init__()
        self.filter = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        weights = torch.tensor([[1.0, 2, 1], [2, 5, 3], [0, 1, 1]])
        self.filter.weight = torch.nn.Parameter((weights / weights.sum())[None, None])

    def forward(self, x):
        return self.filter(x)
