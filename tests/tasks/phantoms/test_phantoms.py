"""Every phantom depends on its seed and its index alone."""

import numpy as np
import pytest

from tasks.phantoms.brain import brain
from tasks.phantoms.dead_leaves import dead_leaves
from tasks.phantoms.head import head
from tasks.phantoms.thorax import thorax


def chi(seed, index, size):
    return head(seed, index, size)[0]


GENERATORS = [(dead_leaves, 64), (thorax, 96), (brain, 96), (chi, 32)]


@pytest.mark.parametrize(("make", "size"), GENERATORS, ids=["dead_leaves", "thorax", "brain", "head"])
def test_an_image_depends_on_its_seed_and_index_alone(make, size):
    first = make(3, 5, size)
    np.random.default_rng(0).standard_normal(10)
    make(3, 4, size)
    np.testing.assert_array_equal(make(3, 5, size), first)
    for other in (make(3, 6, size), make(4, 5, size)):
        # Subjects differ, in more than their texture.
        assert np.abs(other - first).mean() > 0.05 * np.abs(first).mean()
    assert first.shape in {(size, size), (size, size, size)}
    assert np.isfinite(first).all()
