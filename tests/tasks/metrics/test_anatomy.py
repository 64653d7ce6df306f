"""The lungs are found in shapes of which they are known, and in phantoms."""

import numpy as np
import torch

from bench.contract import registry
from tasks.metrics.anatomy import FIELD, LARGEST, lungs, tissues
from tasks.phantoms.shapes import coarsen
from tasks.phantoms.thorax import thorax

SIDE = 96


def ellipse(row, column, tall, wide):
    y, x = np.mgrid[:SIDE, :SIDE]
    return ((y - row) / tall) ** 2 + ((x - column) / wide) ** 2 <= 1


def test_regions_that_tracks_declare_are_functions_here():
    declared = {track.region for track in registry.all_tracks() if track.region}
    assert {registry.resolve(name) for name in declared} == {lungs, tissues}
    assert all(track.classes for track in registry.all_tracks() if track.region)


def test_lungs_are_the_air_inside_of_the_body_with_what_lies_in_them():
    truth = ellipse(48, 28, 22, 12) | ellipse(48, 68, 22, 12)
    image = np.where(ellipse(48, 48, 34, 44), 0.2, 0.0)
    image[truth] = 0.05
    image[ellipse(48, 28, 3, 3) | ellipse(30, 68, 2, 2)] = 0.2  # nodules
    image[ellipse(48, 59, 3, 3)] = 0.2  # one at the wall
    found = lungs(torch.from_numpy(image)[None, None], None).numpy()
    both = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert both > 0.97
    assert found[48, 28] and found[48, 59]  # noqa: PT018
    assert not found[48, 48] and not found[0, 0]  # noqa: PT018
    assert LARGEST / FIELD * SIDE > 6  # pixels of the largest nodule


def test_lungs_of_phantoms_fill_a_part_of_the_body():
    for index in range(2):
        x = torch.from_numpy(coarsen(thorax(3, index, 2 * SIDE)))[None, None]
        found = lungs(x, None)
        share, thin = float(found.double().mean()), (x[0, 0] < 0.12) & (x[0, 0] > 0.03)
        assert 0.1 < share < 0.4
        assert float(found[thin].double().mean()) > 0.9
    assert not lungs(torch.full((1, 1, 32, 32), 0.2), None).any()


def test_tissues_are_the_pixels_of_all_classes():
    target = torch.zeros(1, 2, 4, 4)
    target[0, 0, 1, 1] = target[0, 1, 2, 2] = 1
    assert tissues(torch.zeros(1, 2, 4, 4), {"map": target}).nonzero().tolist() == [[1, 1], [2, 2]]
