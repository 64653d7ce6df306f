"""Clipped chests: the units of the files, the discs of a mask, and what is left of a phantom."""

import numpy as np
import pytest

from bench.contract.task import Images
from tasks import nodules
from tasks.datasets.clipped_ct import DENSEST, beyond_water, clipped_phantoms, discs, real_chests
from tasks.datasets.hounsfield import WATER, attenuation, hounsfield
from tasks.datasets.msd_lung import msd_lung10, without_specks


def test_hounsfield_units_of_water_and_air_and_back():
    units = np.array([-2000.0, -1000.0, 0.0, 60.0])
    np.testing.assert_allclose(attenuation(units), [0, 0, WATER, 1.06 * WATER])
    np.testing.assert_allclose(hounsfield(attenuation(units[1:])), units[1:], atol=1e-9)
    np.testing.assert_allclose(beyond_water(units), [0, 0, 0, attenuation(units)[-1] - WATER])
    assert beyond_water(np.array([3000.0])) == pytest.approx(DENSEST)
    assert nodules.LUNG.metrics[-1].options["data_range"] == pytest.approx(DENSEST)


def test_discs_have_the_centres_and_the_areas_of_the_components():
    rows, columns = np.indices((100, 100)) + 0.5
    mask = (np.hypot(rows - 30, columns - 70) < 9) | (np.hypot(rows - 60, columns - 20) < 5)
    np.testing.assert_allclose(discs(mask), [[0.3, 0.7, 0.09], [0.6, 0.2, 0.05]], atol=0.002)
    assert discs(np.zeros((4, 4), bool)).shape == (0, 3)


def test_specks_are_taken_away_and_lesions_stay():
    mask = np.zeros((20, 20), bool)
    mask[2:6, 2:6] = True
    expected = mask.copy()
    mask[10, 10] = mask[15:17, 15:17] = True
    np.testing.assert_array_equal(without_specks(mask), expected)


def test_a_nodule_that_is_clipped_away_is_no_part_of_the_truth():
    rows, columns = (np.indices((64, 64)) + 0.5) / 64
    discs_ = np.array([[0.3, 0.3, 0.1], [0.7, 0.7, 0.1], [0, 0, 0]])
    covers = [(np.hypot(rows - r, columns - c) < radius).astype(float) for r, c, radius in discs_]
    image = 0.05 + covers[0] * (1.05 * WATER - 0.05) + covers[1] * (0.9 * WATER - 0.05)
    made = {"image": image, "cover": sum(covers), "nodules": discs_}
    left = clipped_phantoms(Images(("a",), lambda name: made)).load("a")
    np.testing.assert_array_equal(left["nodules"], [discs_[0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(left["cover"], covers[0])
    np.testing.assert_allclose(left["image"], 0.05 * WATER * covers[0], atol=1e-12)


@pytest.mark.data("msd-lung10")
def test_real_slices_hold_one_tumour_each_of_six_patients():
    images, stored = real_chests(256, 3), msd_lung10()
    assert len(images) == 10
    assert len({images.group_of(name) for name in images.ids}) == 6
    for name in images.ids:
        made, raw = images.load(name), stored.load(name)
        assert made["image"].shape == made["cover"].shape == (256, 256)
        assert made["image"].max() <= DENSEST
        assert (made["nodules"][:, 2] > 0).sum() == 1
        row, column, radius = made["nodules"][0]
        assert np.pi * (512 * radius) ** 2 == pytest.approx(raw["cover"].sum())
        assert raw["cover"][int(512 * row), int(512 * column)] == 1
        muscle = raw["image"][(raw["image"] > 20) & (raw["image"] < 140)]
        assert 40 < np.median(muscle) < 70  # so that values are Hounsfield units, of which muscle has 50 to 60
