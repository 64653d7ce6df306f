"""Nodules: as many, as large and as dense as they are said to be, with a truth that fits the picture."""

import numpy as np
import pytest

from tasks.phantoms.brain import brain, labelled_brain
from tasks.phantoms.lesions import GLASS, LARGEST, MILLIMETRE, MOST, SMALLEST, chest
from tasks.phantoms.thorax import MAXIMUM

SIZE = 192
SLICES = [chest(5, index, SIZE) for index in range(10)]


def test_every_second_slice_holds_nodules():
    assert [bool(one.nodules) for one in SLICES] == [False, True] * 5
    assert [bool(one.cover.any()) for one in SLICES] == [False, True] * 5
    assert all(len(one.nodules) <= MOST for one in SLICES)
    assert all(one.image.min() >= 0 and one.image.max() <= MAXIMUM for one in SLICES)


def test_the_cover_is_where_the_nodules_are_and_as_large():
    rows, columns = (np.indices((SIZE, SIZE)) + 0.5) / SIZE
    for one in SLICES:
        near = np.zeros((SIZE, SIZE), bool)
        area = 0.0
        for row, column, radius in one.nodules:
            assert SMALLEST / 2 <= radius * 2 / MILLIMETRE <= LARGEST / 2 + 1e-9
            near |= np.hypot(rows - row, columns - column) < 1.5 * radius + 2 / SIZE
            area += np.pi * (radius * SIZE) ** 2
        assert not one.cover[~near].any()
        if one.nodules:
            assert 0.5 * area < one.cover.sum() < 1.6 * area + 4 * len(one.nodules)


def test_nodules_are_denser_than_the_lung_around_them_and_apart():
    for one in SLICES:
        for number, (row, column, radius) in enumerate(one.nodules):
            inside = one.image[int(row * SIZE), int(column * SIZE)]
            assert inside > 0.7 * GLASS
            for other_row, other_column, other in one.nodules[:number]:
                assert np.hypot(row - other_row, column - other_column) > radius + other


def test_a_slice_depends_on_seed_and_index_alone():
    again = chest(5, 3, SIZE)
    assert np.array_equal(again.image, SLICES[3].image)
    assert again.nodules == SLICES[3].nodules
    assert not np.array_equal(chest(6, 3, SIZE).image, SLICES[3].image)


@pytest.mark.parametrize("index", range(3))
def test_the_tissues_of_a_brain_leave_the_slice_as_it_is_and_share_its_pixels(index):
    image, shares = labelled_brain(5, index, SIZE)
    assert np.array_equal(image, brain(5, index, SIZE))
    assert shares.shape == (3, SIZE, SIZE)
    assert 0 <= shares.min() <= shares.max() <= 1
    assert shares.sum(0).max() <= 1 + 1e-12
    assert all(0.02 < share.mean() < 0.4 for share in shares)
    magnitude = np.abs(image)
    means = [magnitude[share > 0.99].mean() for share in shares]
    spreads = [magnitude[share > 0.99].std() for share in shares]
    assert max(spreads) < 0.5 * (max(means) - min(means))  # each tissue has an intensity of its own
