"""Abdomen phantoms: labels that fit the picture, and every organ in enough slices."""

import numpy as np

from tasks.datasets.hounsfield import WATER, hounsfield
from tasks.phantoms import abdomen
from tasks.phantoms.abdomen import ORGANS
from tasks.phantoms.thorax import MAXIMUM

SLICES = [abdomen.abdomen(7, index, 128) for index in range(16)]


def test_a_slice_depends_on_seed_and_index_alone():
    image, shares = abdomen.abdomen(7, 3, 128)
    np.testing.assert_array_equal(image, SLICES[3][0])
    np.testing.assert_array_equal(shares, SLICES[3][1])
    assert not np.array_equal(abdomen.abdomen(8, 3, 128)[0], image)


def test_organs_share_the_pixels_and_occur_often_enough():
    for image, shares in SLICES:
        assert 0 <= image.min() <= image.max() <= MAXIMUM
        assert shares.min() >= 0
        assert shares.sum(0).max() <= 1 + 1e-12
    present = dict(zip(ORGANS, np.mean([(shares > 0.5).sum((1, 2)) > 20 for _, shares in SLICES], 0), strict=True))
    assert present["liver"] > 0.9
    assert present["spleen"] > 0.6
    assert present["spine"] > 0.9
    assert 0.4 < present["kidneys"] < 1


def test_organs_have_the_densities_and_the_places_of_organs():
    columns = np.arange(128)
    sides = []
    for image, shares in SLICES:
        units = hounsfield(image)
        for name, share in zip(ORGANS, shares, strict=True):
            inside = share > 0.99
            if inside.sum() > 20:
                low, high = (60, 900) if name == "spine" else (-20, 250)
                assert low < units[inside].mean() < high, name
        weights = shares.sum(1)
        if weights[:2].sum(1).min() > 0:
            sides.append([np.average(columns, weights=weights[organ]) for organ in (0, 3, 1)])
    assert len(sides) > 8
    assert all(liver < spine < spleen for liver, spine, spleen in sides)


def test_the_attenuation_of_water_is_the_one_of_the_data_sets():
    assert abdomen.WATER == WATER


def test_the_task_names_the_organs_in_the_order_of_phantoms_and_volume():
    from tasks import organs
    from tasks.datasets import totalseg

    assert organs.ORGANS == ORGANS == tuple(totalseg.ORGANS)
    assert organs.TOTALSEG.options["field"] == organs.TOTALSEG.options["size"] * totalseg.VOXEL
