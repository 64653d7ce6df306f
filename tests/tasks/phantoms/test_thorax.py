"""Thorax phantoms: attenuation of tissues, and texture."""

import numpy as np

from tasks.phantoms.shapes import coarsen, grid
from tasks.phantoms.thorax import MAXIMUM, thorax


def test_thorax_values_are_those_of_tissues():
    image = coarsen(thorax(0, 0))
    assert image.min() == 0
    assert image.max() <= MAXIMUM
    corner = np.hypot(*grid(96, 96)) > 1
    assert image[corner].max() == 0  # inside the circle that every view sees
    histogram, edges = np.histogram(image[image > 0.02], bins=76, range=(0.02, 0.4))
    assert 0.17 < edges[histogram.argmax()] < 0.22  # fat or muscle
    assert (image > 0.25).mean() > 0.01  # bone
    assert ((image > 0.03) & (image < 0.08)).mean() > 0.08  # lung


def test_thorax_has_texture_within_tissue_on_the_grid_of_the_reconstruction():
    spreads = []
    for index in range(4):
        image = coarsen(thorax(1, index))
        wall = image[image > 0.19]
        spreads.append(wall[wall < 0.23].std() / 0.205)
    assert 0.03 < np.mean(spreads) < 0.06
