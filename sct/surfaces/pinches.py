"""Take apart the places where decimation lets two sheets of a closed surface touch."""

import numpy as np
from numpy.typing import NDArray

from sct.surfaces.mesh import Mesh

__all__ = ["split_pinches"]

MAX_ROUNDS = 20
# How far a split corner moves towards its own neighbours, so that the sheets stay apart in a file too.
SHIFT = 0.05


def split_pinches(mesh: Mesh) -> Mesh:
    """Split edges of four triangles (six, ...) and vertices of several fans, so that the surface is a manifold again.

    Around such an edge the triangles are joined in pairs: first those that have solid between them (the sheets of two
    solids that touch), and where that leaves an edge doubled, those with void between them. Every fan of triangles
    then gets a vertex of its own, moved by 5 % of the way to its neighbours.

    Args:
        mesh: A surface in which every edge has an even number of triangles, wound alike.

    Returns:
        The mesh with split vertices; unchanged when it was a manifold.
    """
    for number in range(MAX_ROUNDS):
        fan, n_fans, n_pinched_edges = _fans(mesh, solid_between=number % 2 == 0)
        if n_fans == len(np.unique(mesh.faces)) and not n_pinched_edges:
            break
        mesh = _with_a_vertex_per_fan(mesh, fan, n_fans)
    return mesh


def _fans(mesh: Mesh, solid_between: bool) -> tuple[NDArray[np.int64], int, int]:
    """Number of the fan that each triangle's corner belongs to, (F, 3), how many fans, and how many pinched edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = mesh.faces
    starts, ends = faces.ravel(), faces[:, [1, 2, 0]].ravel()  # half-edge h runs from corner h to the next corner
    keys = np.minimum(starts, ends) * len(mesh.points_mm) + np.maximum(starts, ends)
    order = np.argsort(keys, kind="stable")
    first, counts = np.unique(keys[order], return_index=True, return_counts=True)[1:]
    plain = first[counts == 2]
    pairs = [np.stack([order[plain], order[plain + 1]], axis=1)]
    for begin, count in zip(first[counts > 2], counts[counts > 2], strict=True):
        pairs.append(_pairs_around_edge(mesh, order[begin : begin + count], solid_between))
    one, other = np.concatenate(pairs).T
    # Of two triangles at an edge, the corner where one half-edge starts is where the other ends.
    after = np.arange(faces.size).reshape(-1, 3)[:, [1, 2, 0]].ravel()
    links = coo_array(
        (
            np.ones(2 * len(one), dtype=np.int8),
            (np.concatenate([one, after[one]]), np.concatenate([after[other], other])),
        ),
        shape=(faces.size, faces.size),
    )
    n_fans, fan = connected_components(links.tocsr(), directed=False)
    return fan.reshape(-1, 3).astype(np.int64), int(n_fans), int((counts > 2).sum())


def _pairs_around_edge(mesh: Mesh, half_edges: NDArray[np.int64], solid_between: bool) -> NDArray[np.int64]:
    """Pairs of half-edges of opposite direction, neighbours around their common edge, shape (n, 2)."""
    corners = mesh.faces.ravel()
    after = half_edges // 3 * 3 + (half_edges + 1) % 3
    last = half_edges // 3 * 3 + (half_edges + 2) % 3
    forward = corners[half_edges] < corners[after]
    low, high = corners[half_edges].min(), corners[half_edges].max()
    edge = mesh.points_mm[high] - mesh.points_mm[low]
    arms = mesh.points_mm[corners[last]] - mesh.points_mm[low]
    across = np.linalg.svd(edge[None])[2][1:]  # two directions across the edge
    if np.dot(np.cross(across[0], across[1]), edge) < 0:
        across = across[::-1]
    turn = np.argsort(np.arctan2(arms @ across[1], arms @ across[0]))
    # Going round the edge, solid begins at a backward triangle and ends at a forward one.
    opens = ~forward[turn] if solid_between else forward[turn]
    waiting: list[int] = []
    pairs: list[tuple[int, int]] = []
    for step in [*range(len(turn)), *range(len(turn))]:
        half_edge = int(half_edges[turn[step]])
        if any(half_edge in pair for pair in pairs):
            continue
        if opens[step]:
            if half_edge not in waiting:
                waiting.append(half_edge)
        elif waiting:
            pairs.append((waiting.pop(), half_edge))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _with_a_vertex_per_fan(mesh: Mesh, fan: NDArray[np.int64], n_fans: int) -> Mesh:
    origin = np.zeros(n_fans, dtype=np.int64)
    origin[fan.ravel()] = mesh.faces.ravel()
    points_mm = mesh.points_mm[origin]
    split = np.bincount(origin, minlength=len(mesh.points_mm))[origin] > 1
    neighbours = np.zeros_like(points_mm)
    weights = np.zeros(n_fans)
    for corner in range(3):
        for step in (1, 2):
            np.add.at(neighbours, fan[:, corner], mesh.points_mm[mesh.faces[:, (corner + step) % 3]])
            np.add.at(weights, fan[:, corner], 1)
    points_mm[split] += SHIFT * (neighbours[split] / weights[split, None] - points_mm[split])
    return Mesh(points_mm, fan)
