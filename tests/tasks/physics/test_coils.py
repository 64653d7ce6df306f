"""Coil sensitivities: smooth, normalised, the same on every grid."""

import numpy as np

from tasks.phantoms.shapes import coarsen
from tasks.physics.coils import coil_maps


def test_coil_maps_are_smooth_and_of_unit_sum_of_squares():
    fine, coarse = (coil_maps((n, n), 6, np.random.default_rng(2)) for n in (128, 64))
    assert fine.shape == (6, 128, 128)
    np.testing.assert_allclose((abs(fine) ** 2).sum(0), 1)
    for axis in (1, 2):
        assert abs(np.diff(fine, axis=axis)).max() < 0.1
    assert abs(coarsen(fine, dims=2) - coarse).max() < 0.02
