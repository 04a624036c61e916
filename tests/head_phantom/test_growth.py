"""Bone as it is painted follows the age: open fontanelles, thin calvaria, absent sinuses in infants."""

import numpy as np
import pytest
from heads import BONE, block, scene_of, volumes_mm3

from sct.head_phantom.head import calvaria_thickness_mm, draw_head
from sct.head_phantom.tissue import Tissue

PARIETAL, BREGMA = (22, -25, 108), (0, 17, 111)


def bone_mm(scene, point, half_mm=4.0):
    """Bone on vertical lines through the vault around a point: the median of their lengths."""
    centre = scene.placement.to_world(np.array([point], float))[0]
    beside, step = np.arange(-half_mm, half_mm + 0.1, 2.0), 0.5
    upwards = centre[2] + np.arange(-16, 16, step)
    found = scene.canvas(centre[0] + beside, centre[1] + beside, upwards, step).fractions
    lines = sum(found[tissue] for tissue in BONE if tissue in found).sum(axis=2) * step
    return float(np.median(lines))


def test_the_calvaria_thickens_with_age():
    means = []
    for age in (0.05, 2.0, 8.0, 30.0):
        heads = [scene_of(age, seed=seed) for seed in range(3)]
        measured = [bone_mm(scene, PARIETAL, 6.0) for scene in heads]
        for scene, found in zip(heads, measured, strict=True):
            assert found == pytest.approx(scene.head.thickness * scene.head.scale, rel=0.35)
        means.append(np.mean(measured))
        assert means[-1] == pytest.approx(calvaria_thickness_mm(age), rel=0.25)
    assert means == sorted(means)


def test_fontanelles_are_open_in_infants_and_closed_in_adults():
    for seed in range(3):
        newborn, adult = scene_of(0.05, seed=seed), scene_of(30.0, seed=seed)
        assert min(newborn.head.fontanelle) > 0
        assert adult.head.fontanelle == (0.0, 0.0)
        assert bone_mm(newborn, BREGMA) < 0.3 * bone_mm(newborn, PARIETAL)
        assert bone_mm(adult, BREGMA) > 0.6 * bone_mm(adult, PARIETAL)
        assert block(newborn, BREGMA, 4).fractions[Tissue.FIBROUS].sum() > 50


def test_the_anterior_fontanelle_closes_in_the_second_year():
    for seed in range(20):
        assert draw_head(seed, 0, 0.3, "F").fontanelle[0] > 0
        assert draw_head(seed, 0, 2.0, "F").fontanelle == (0.0, 0.0)


def test_air_comes_into_sinuses_and_mastoid_with_age():
    places = {"maxillary": (30, 57, -13), "frontal": (12, 80, 33), "mastoid": (52, -14, -12)}

    def air_mm3(age, name):
        return np.mean([volumes_mm3(scene_of(age, seed=seed), places[name], 8)[Tissue.AIR] for seed in range(2)])

    for name in places:
        newborn, child, adult = (air_mm3(age, name) for age in (0.05, 5.0, 25.0))
        assert newborn < 0.05 * adult, name
        assert child < 0.8 * adult, name
    assert air_mm3(5.0, "frontal") == 0 < air_mm3(5.0, "maxillary")  # the frontal sinus comes last
