"""What brings a patient to the scanner is drawn for its indication, is there, and changes nothing elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from heads import block, bone_of, on_vault, scene_of, volumes_mm3

from sct.head_phantom import participant as participant_module
from sct.head_phantom.displacement import LANDMARKS
from sct.head_phantom.head import draw_head
from sct.head_phantom.participant import make_participant
from sct.head_phantom.settings import PhantomSettings
from sct.head_phantom.tissue import Tissue
from sct.head_phantom.variants import Variants, draw_variants

SUTURES = {
    "sagittal": (0, -30, 111),
    "coronal": (50, 26, 82),
    "lambdoid": (20, -87, 52),
    "metopic": (0, 72, 76),
}
"""A place on each suture that no other suture is near."""


def test_findings_are_drawn_for_their_indication_alone():
    for seed in range(20):
        head = draw_head(seed, 0, 1.0, "F")
        found = {
            name: draw_variants(seed, 0, head, name)
            for name in ("craniosynostosis", "trauma", "postoperative", "tumour", "preoperative", "genetic")
        }
        assert found["craniosynostosis"].fused_suture is not None
        assert any(found["craniosynostosis"].shape_change)
        assert {name for name, one in found.items() if one.fracture} == {"trauma"}
        assert {name for name, one in found.items() if one.tumour} == {"tumour"}
        assert found["postoperative"].plate is not None
        assert not {name for name, one in found.items() if one.plate} - {"postoperative", "trauma"}
        for name in ("preoperative", "genetic", "tumour"):
            assert found[name].fused_suture is None
            assert found[name].shape_change == (0.0, 0.0, 0.0, 0.0)


def test_findings_vary():
    drawn = [draw_variants(seed, 0, draw_head(seed, 0, 20.0, "F"), "craniosynostosis") for seed in range(60)]
    assert {one.fused_suture for one in drawn} == {"sagittal", "metopic", "unicoronal", "coronal", "lambdoid"}
    keys = {key for one in drawn for key in one.filling}
    assert {"maxillary right", "maxillary swollen left", "sphenoid left", "frontal right"} <= keys
    assert any(one.dental_fillings for one in drawn)


@pytest.mark.parametrize("fused", SUTURES)
def test_a_fused_suture_is_bone_where_an_open_one_is_not(fused):
    opened, closed = scene_of(0.4), scene_of(0.4, Variants(fused_suture=fused))
    before, after = (volumes_mm3(scene, SUTURES[fused]) for scene in (opened, closed))
    gone = before[Tissue.FIBROUS] - after[Tissue.FIBROUS]
    assert gone > 0.1 * before[Tissue.FIBROUS]
    assert bone_of(after) - bone_of(before) == pytest.approx(gone, rel=0.25)
    other = "metopic" if fused == "lambdoid" else "lambdoid"
    if fused != "sagittal":  # which ends at the lambdoid one
        assert volumes_mm3(opened, SUTURES[other]) == volumes_mm3(closed, SUTURES[other])


def test_one_half_of_the_coronal_suture_can_be_fused():
    opened, closed = scene_of(0.4), scene_of(0.4, Variants(fused_suture="unicoronal"))
    for side, least in ((1, 0.3), (-1, 0.0)):
        place = np.array(SUTURES["coronal"]) * (side, 1, 1)
        before, after = (volumes_mm3(scene, place)[Tissue.FIBROUS] for scene in (opened, closed))
        assert least <= (before - after) / before <= least + 0.2


def test_a_fused_suture_deforms_the_vault_as_it_does_in_life():
    """Virchow's law: growth across the closed suture stops, so the vault is long and narrow, or short and broad."""

    head = draw_head(0, 0, 0.5, "M")
    drawn = [draw_variants(seed, 0, head, "craniosynostosis") for seed in range(60)]

    def index(variants):
        place = scene_of(0.5, variants).placement.to_world
        right, left, front, back = place(np.array([[68.0, -6, 60], [-68, -6, 60], [0, 82, 60], [0, -94, 60]]))
        return np.linalg.norm(right - left) / np.linalg.norm(front - back)

    ordinary = index(Variants())
    assert all(index(one) < 0.95 * ordinary for one in drawn if one.fused_suture == "sagittal")
    assert all(index(one) > 1.05 * ordinary for one in drawn if one.fused_suture == "coronal")


def test_a_fracture_is_a_crack_of_blood_through_all_layers():
    place = on_vault((0.5, 0.2, 0.8))
    sound, broken = scene_of(8), scene_of(8, Variants(fracture=(place, (1.0, 0.0, 0.0), 2.0)))
    before, after = volumes_mm3(sound, place), volumes_mm3(broken, place)
    blood = after[Tissue.BLOOD] - before[Tissue.BLOOD]
    assert bone_of(before) - bone_of(after) == pytest.approx(blood, rel=0.15)
    # 28 mm long, about 2 mm wide (narrower towards its ends), as deep as the bone is thick
    assert blood == pytest.approx(28 * 1.7 * bone_of(before) / 29**2, rel=0.4)
    far = on_vault((-0.5, -0.4, 0.7))
    assert volumes_mm3(sound, far) == volumes_mm3(broken, far)


def test_a_tumour_has_its_size_and_displaces_what_was_there():
    centre, radii = (30.0, 58.0, -14.0), (12.0, 10.0, 9.0)
    shares = []
    for seed in range(3):
        sound, ill = scene_of(12, seed=seed), scene_of(12, Variants(tumour=(centre, radii)), seed)
        after = volumes_mm3(ill, centre, 20)
        shares.append(after[Tissue.TUMOUR] / (4 / 3 * np.pi * np.prod(radii) * ill.head.scale**3))
        assert after[Tissue.AIR] < volumes_mm3(sound, centre, 20)[Tissue.AIR] - 1000  # of the maxillary sinus
    assert np.mean(shares) == pytest.approx(1, abs=0.2)


def test_fluid_and_swelling_fill_the_sinus_they_are_said_to():
    sinus = (30, 57, -13)
    healthy, fluid, swollen = (
        scene_of(20, Variants(filling=filling))
        for filling in ({}, {"maxillary right": 0.5}, {"maxillary swollen right": 3.0})
    )
    air, wet, thick = (volumes_mm3(scene, sinus, 20) for scene in (healthy, fluid, swollen))
    assert air[Tissue.FLUID] == thick[Tissue.FLUID] == 0
    assert wet[Tissue.FLUID] == pytest.approx(air[Tissue.AIR] - wet[Tissue.AIR], rel=0.1)
    assert wet[Tissue.FLUID] > 3000
    assert thick[Tissue.MUCOSA] - air[Tissue.MUCOSA] == pytest.approx(air[Tissue.AIR] - thick[Tissue.AIR], rel=0.1)
    assert thick[Tissue.MUCOSA] > 1.5 * air[Tissue.MUCOSA]
    left = (-30, 57, -13)
    assert volumes_mm3(fluid, left, 20) == volumes_mm3(swollen, left, 20) == volumes_mm3(healthy, left, 20)
    # Patients lie on their back: the fluid is behind the air.
    canvas = block(fluid, sinus, 20)
    behind = [np.average(canvas.y, weights=canvas.fractions[tissue]) for tissue in (Tissue.FLUID, Tissue.AIR)]
    assert behind[0] < behind[1] - 5


def test_a_plate_is_metal_on_the_outer_table():
    place = on_vault((0.5, 0.2, 0.8))
    plated = scene_of(20, Variants(plate=(place, (0.0, 1.0, 0.0))))
    assert volumes_mm3(scene_of(20), place, 20)[Tissue.METAL] == 0
    canvas = block(plated, place, 20)
    metal = canvas.fractions[Tissue.METAL]
    bar_mm3 = (26 * 4.8 - 2 * 4.8) * 1.3 * plated.head.scale**3  # without the gap in its middle
    assert bar_mm3 < metal.sum() < 2 * bar_mm3  # four screws besides
    assert np.ptp(canvas.y[metal > 0.2]) > 2 * np.ptp(canvas.x[metal > 0.2])  # it lies along y


def test_a_plate_leaves_a_void_in_the_mr_and_is_bright_in_the_ct(monkeypatch):
    place, pair = on_vault((0.5, 0.2, 0.8)), []
    for plate in (None, (place, (0.0, 1.0, 0.0))):
        monkeypatch.setattr(
            participant_module, "draw_variants", lambda *a, plate=plate: replace(draw_variants(*a), plate=plate)
        )
        pair.append(make_participant(PhantomSettings(8, 3.0, 0), 2))
    without, plated = pair
    assert without.columns["technique"] == "GRE"
    world = np.append(scene_place(2, place), 1.0)
    i, j, k = np.rint(np.linalg.solve(plated.ct.affine, world)[:3]).astype(int)
    near = (slice(i - 4, i + 5), slice(j - 4, j + 5), slice(k - 4, k + 5))
    assert plated.ct.data[near].max() > 2000 > without.ct.data[near].max()
    before, after = without.mr.data.astype(float), plated.mr.data.astype(float)
    lost = (before > 0.3 * np.percentile(before, 90)) & (after < 0.5 * before)
    lost_mm3 = lost.sum() * np.prod(plated.mr.spacing_mm)
    assert lost_mm3 > 1000  # the plate itself has 200
    centre = np.linalg.solve(plated.mr.affine, world)[:3]
    assert np.abs((np.argwhere(lost) - centre) * plated.mr.spacing_mm).max() < 40


def scene_place(index, point):
    scene = participant_module.draw_anatomy(PhantomSettings(8, 3.0, 0), index)
    return scene.placement.to_world(np.array([point]))[0]


def test_other_seeds_are_other_people_not_other_poses():
    """Between two people some shape is left when size, pose and proportions are fitted away; not between two draws."""
    marks = np.array(list(LANDMARKS.values()), float)
    places = [scene_of(10, seed=seed).placement.to_world(marks) for seed in (0, 0, 1, 2)]
    left = []
    for place in places[1:]:
        known = np.column_stack([place, np.ones(len(place))])
        residual = places[0] - known @ np.linalg.lstsq(known, places[0], rcond=None)[0]
        left.append(np.sqrt(np.mean(residual**2)))
    assert left[0] < 1e-9
    assert min(left[1:]) > 0.5
