import numpy as np
import pytest

from sct.head_phantom import grid
from sct.head_phantom.canvas import Canvas
from sct.head_phantom.displacement import LANDMARKS, PLACEMENT_ERROR_MM, draw_displacement, draw_landmarks
from sct.head_phantom.grid import Grid
from sct.head_phantom.head import calvaria_thickness_mm, draw_head, head_scale
from sct.head_phantom.mr_scan import draw_mr_protocol
from sct.head_phantom.participant import draw_anatomy, make_participant
from sct.head_phantom.presets import participant_columns
from sct.head_phantom.randomness import generator
from sct.head_phantom.settings import PhantomSettings
from sct.head_phantom.tissue import Tissue, draw_tissue_values


def on_ct_grid(participant):
    """MR sampled at the CT's voxels, nearest neighbour."""
    ct, mr = participant.ct, participant.mr
    index = np.indices(ct.shape).reshape(3, -1)
    to_mr = np.linalg.inv(mr.affine) @ ct.affine
    place = np.rint(to_mr[:3, :3] @ index + to_mr[:3, 3:]).astype(int)
    inside = np.all((place >= 0) & (place < np.array(mr.shape)[:, None]), axis=0)
    values = np.zeros(index.shape[1])
    values[inside] = mr.data[tuple(place[:, inside])]
    return values.reshape(ct.shape), inside.reshape(ct.shape)


def test_same_seed_same_voxels(coarse_adult):
    again = make_participant(PhantomSettings(3, 4.0, 0), 5)  # the number of participants plays no part
    assert np.array_equal(again.ct.data, coarse_adult.ct.data)
    assert np.array_equal(again.mr.data, coarse_adult.mr.data)
    assert np.array_equal(again.mr.affine, coarse_adult.mr.affine)


def test_coarse_and_fine_show_the_same_anatomy(coarse_adult):
    """The fine CT averaged over the coarse voxels is the coarse CT, but for noise and kernel."""
    fine, coarse = coarse_adult, make_participant(PhantomSettings(8, 8.0, 0), 5)
    low = fine.ct.affine[:3, 3] - 2.0
    assert low == pytest.approx(coarse.ct.affine[:3, 3] - 4.0)
    shape = [min(a, 2 * b) // 2 * 2 for a, b in zip(fine.ct.shape, coarse.ct.shape, strict=True)]
    cut = fine.ct.data[: shape[0], : shape[1], : shape[2]].astype(float)
    averaged = cut.reshape(shape[0] // 2, 2, shape[1] // 2, 2, shape[2] // 2, 2).mean(axis=(1, 3, 5))
    coarse = coarse.ct.data[: averaged.shape[0], : averaged.shape[1], : averaged.shape[2]]
    assert np.corrcoef(averaged.ravel(), coarse.ravel())[0, 1] > 0.96
    bone = averaged > 300, coarse > 300
    assert 2 * (bone[0] & bone[1]).sum() / (bone[0].sum() + bone[1].sum()) > 0.85


def test_hu_by_tissue_lie_in_the_ranges_of_the_textbook():
    ranges = {
        Tissue.AIR: (-1030, -970),
        Tissue.FAT: (-140, -50),
        Tissue.MUSCLE: (25, 85),
        Tissue.GREY: (25, 50),
        Tissue.WHITE: (15, 40),
        Tissue.CSF: (-10, 22),
        Tissue.CORTICAL: (1000, 2100),
        Tissue.DENSE: (1200, 2600),
        Tissue.TRABECULAR: (30, 1000),
        Tissue.ENAMEL: (2000, 3500),
    }
    for seed in range(30):
        values = draw_tissue_values(np.random.default_rng(seed), np.random.default_rng(99), 25.0)
        for tissue, (low, high) in ranges.items():
            assert low < values.hu[tissue] < high, tissue


def test_bone_gets_denser_with_age():
    def cortical(age):
        return np.mean([draw_tissue_values(np.random.default_rng(s), np.random.default_rng(0), age).hu[Tissue.CORTICAL]
                        for s in range(10)])  # fmt: skip

    density = [cortical(age) for age in (0.0, 1.0, 5.0, 15.0, 30.0)]
    assert density == sorted(density)
    assert density[0] < 0.65 * density[-1]


def test_ct_and_mr_of_bone_vary_independently():
    pairs = []
    for seed in range(200):
        values = draw_tissue_values(generator(seed, 0, "tissue ct"), generator(seed, 0, "tissue mr"), 20.0)
        pairs.append((values.hu[Tissue.CORTICAL], values.density[Tissue.CORTICAL]))
    assert abs(np.corrcoef(np.array(pairs).T)[0, 1]) < 0.2
    assert np.std(np.array(pairs), axis=0)[0] > 80


def test_head_and_calvaria_grow_with_age():
    ages = np.linspace(0, 35, 60)
    for curve in (calvaria_thickness_mm, head_scale):
        values = [curve(age) for age in ages]
        assert np.all(np.diff(values) > 0)
    heads = [[draw_head(seed, 0, age, "F") for seed in range(20)] for age in (0, 2, 8, 30)]
    mean = [np.mean([head.thickness * head.scale for head in group]) for group in heads]
    assert mean == sorted(mean)


def test_a_head_ct_has_air_tissue_and_bone_in_their_places(coarse_adult):
    ct = coarse_adult.ct.data
    assert ct.dtype == np.int16
    assert ct.min() >= -1024
    assert np.median(ct[:2]) == pytest.approx(-1000, abs=30)  # beside the head
    share = [np.mean(ct < -500), np.mean((ct > -150) & (ct < 150)), np.mean(ct > 300)]
    assert 0.3 < share[0] < 0.9
    assert share[1] > 0.1
    assert 0.01 < share[2] < 0.2
    middle = np.array(ct.shape) // 2
    brain = ct[middle[0] - 3 : middle[0] + 3, middle[1] - 3 : middle[1] + 3, int(0.72 * ct.shape[2]) - 2 :][..., :4]
    assert 0 < np.median(brain) < 70


@pytest.mark.parametrize(("index", "technique"), [(0, "ZTE"), (1, "UTE"), (2, "GRE")])
def test_bone_is_brighter_than_air_without_echo_time(index, technique):
    participant = make_participant(PhantomSettings(8, 4.0, 3), index)
    assert participant.columns["technique"] == technique
    mr, inside = on_ct_grid(participant)
    ct = participant.ct.data
    tissue = np.median(mr[inside & (ct > 0) & (ct < 80)])
    bone = np.median(mr[inside & (ct > (1000 if technique == "GRE" else 800))]) / tissue
    air = np.median(mr[inside & (ct < -900)]) / tissue
    assert air < 0.2
    if technique == "GRE":
        assert bone - air < 0.4
    else:
        assert bone - air > 0.1


def test_mr_has_its_own_grid_in_the_same_world(coarse_adult):
    mr, ct = coarse_adult.mr, coarse_adult.ct
    assert mr.data.dtype == np.uint16
    assert mr.shape != ct.shape
    values, inside = on_ct_grid(coarse_adult)
    soft = (ct.data > -50) & (ct.data < 100)
    assert inside.mean() > 0.4
    # Soft tissue is bright, air is dark: the two images lie on each other.
    assert np.median(values[inside & soft]) > 4 * np.median(values[inside & (ct.data < -900)])


@pytest.mark.parametrize("technique", ["ZTE", "UTE", "GRE"])
def test_mr_voxels_and_field_of_view_are_in_the_ranges_the_page_says(technique):
    for seed, scale in enumerate(np.linspace(0.6, 1.15, 300)):
        ge, siemens = (
            draw_mr_protocol(np.random.default_rng(seed), vendor, technique, 2.0, scale) for vendor in ("GE", "Siemens")
        )
        assert 0.75 * 2.0 <= ge.spacing_mm <= 1.14 * 2.0
        left_right, *others = ge.fov_mm
        assert 150 <= left_right <= 270
        assert 200 <= min(others) <= max(others) <= 300
        assert (siemens.spacing_mm, siemens.fov_mm) == (ge.spacing_mm, ge.fov_mm)  # in version 1


def test_mr_voxels_and_field_of_view_of_phantom39():
    settings = PhantomSettings(39, 1.0, preset="phantom39")
    found = []
    for index in range(39):
        columns = participant_columns(settings, index)
        head = draw_head(0, index, float(columns["age"]), columns["sex"])
        rng = generator(0, index, "mr protocol")
        protocol = draw_mr_protocol(rng, columns["mr_vendor"], columns["technique"], 1.0, head.scale)
        found.append((protocol.spacing_mm, *protocol.fov_mm))
    assert np.min(found, axis=0) == pytest.approx([0.755, 153.4, 200.0, 206.2], abs=0.1)
    assert np.max(found, axis=0) == pytest.approx([1.026, 231.4, 272.0, 300.0], abs=0.1)
    assert np.sum(np.array(found)[:, 0] > 1) == 1


def test_displacement_carries_ct_onto_mr_and_landmarks_agree(coarse_adult):
    moved = make_participant(PhantomSettings(8, 4.0, 0, displaced=True), 5)
    still = coarse_adult
    assert np.array_equal(moved.ct.data, still.ct.data)
    assert moved.displacement is not None
    linear = moved.displacement[:3, :3]
    turn = np.degrees(np.arccos((np.trace(np.linalg.svd(linear)[0] @ np.linalg.svd(linear)[2]) - 1) / 2))
    assert 0.5 < turn < 11
    # Brought back by the known affine, the MR is the undisplaced one.
    back = type(moved.mr)(moved.mr.data, moved.displacement @ moved.mr.affine)
    a, inside_a = on_ct_grid(type(moved)("", {}, back, moved.ct))
    b, inside_b = on_ct_grid(still)
    both = inside_a & inside_b
    assert np.corrcoef(a[both], b[both])[0, 1] > 0.85
    assert len(moved.landmarks) >= 12
    errors = [mr_to_ct(moved.displacement, mr) - ct for mr, ct in moved.landmarks.values()]
    assert np.sqrt(np.mean(np.sum(np.square(errors), axis=1))) == pytest.approx(PLACEMENT_ERROR_MM, rel=0.35)


def mr_to_ct(affine, point):
    return affine[:3, :3] @ point + affine[:3, 3]


def test_landmarks_without_error_fit_the_affine_exactly():
    placement = draw_anatomy(PhantomSettings(8, 4.0, 0), 2).placement
    affine = draw_displacement(np.random.default_rng(0), placement.centre_mm)
    marks = draw_landmarks(np.random.default_rng(0), placement, affine, error_mm=0.0)
    assert set(marks) == set(LANDMARKS)
    for name, (mr, ct) in marks.items():
        assert mr_to_ct(affine, mr) == pytest.approx(ct, abs=1e-9)
        assert placement.to_anatomy(ct[None])[0] == pytest.approx(LANDMARKS[name], abs=0.05)
    spread = np.ptp([ct for _, ct in marks.values()], axis=0)
    assert np.all(spread > 60)


def test_shares_of_tissues_add_up_to_one_and_stay_single_precision():
    scene = draw_anatomy(PhantomSettings(8, 4.0, 0), 5)
    centre = scene.placement.centre_mm
    for offset in ((0, 60, 0), (40, -10, 0), (0, 60, -60), (0, 0, 60), (0, 110, 100)):
        axes = [centre[i] + offset[i] + np.arange(-12, 12, 2.0) for i in range(3)]
        canvas = scene.canvas(axes[0], axes[1], axes[2], 2.0)
        total = sum(canvas.fractions.values())
        assert total == pytest.approx(1.0, abs=1e-4)
        assert all(share.dtype == np.float32 for share in canvas.fractions.values())
        assert min(float(share.min()) for share in canvas.fractions.values()) > -1e-5


def test_thin_layers_keep_their_volume_at_any_voxel_size():
    for width in (0.5, 1.0, 3.0):
        line = (np.arange(-30, 30, width) + width / 2).astype(np.float32).reshape(-1, 1, 1)
        canvas = Canvas(line, line, line, width, {})
        canvas.paint_layers([(Tissue.CSF, line + 0.4), (Tissue.CORTICAL, line - 0.4)])
        assert canvas.fractions[Tissue.CORTICAL].sum() * width == pytest.approx(0.8, rel=1e-4)


def test_a_newborn_has_a_newborns_head():
    """A newborn's head is much smaller than an adult's, in proportion to the head circumference."""
    newborn, adult = draw_head(0, 0, 0.02, "F"), draw_head(0, 0, 30.0, "F")
    assert newborn.scale / adult.scale == pytest.approx(34.5 / 55, rel=0.06)


@pytest.mark.parametrize("index", [0, 5])
def test_anatomy_does_not_depend_on_how_it_is_cut_into_blocks(index, monkeypatch):
    scene = draw_anatomy(PhantomSettings(8, 4.0, 0), index)
    low = scene.placement.centre_mm - 110 * scene.head.scale
    cells = Grid.covering(low, low + 240 * scene.head.scale, 5.0)
    table = np.eye(len(Tissue), dtype=np.float32)
    painted = []
    for edge in (24, 13):
        monkeypatch.setattr(grid, "_BLOCK", edge)
        painted.append(scene.paint(cells, table))
    assert np.abs(painted[0] - painted[1]).max() < 0.1
