"""Variants of a training image keep what they should: values, quadratics, the place of a point, and the seed."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from tasks.datasets.augmentation import gain, keys, placement, resampling, symmetry


def rng(seed=0):
    return np.random.default_rng(seed)


def test_all_symmetries_of_a_square_are_drawn_and_no_other():
    image = np.arange(9.0).reshape(3, 3)
    turned = [np.rot90(image, k) for k in range(4)]
    expected = {one.tobytes() for square in turned for one in (square, square[:, ::-1])}
    assert {symmetry(rng(seed), (0, 1), (0, 1))(image).tobytes() for seed in range(100)} == expected
    assert {symmetry(rng(seed), (1,))(image).tobytes() for seed in range(20)} == {
        image.tobytes(),
        image[:, ::-1].tobytes(),
    }


def test_volumes_of_one_phantom_get_one_symmetry():
    volume = rng().random((4, 4, 4))
    for seed in range(10):
        change = symmetry(rng(seed), (0, 2), (0, 1))
        assert np.array_equal(change(2 * volume), 2 * change(volume))
        assert change(volume).flags.c_contiguous


@pytest.mark.parametrize("shift", [-3, 0, 2])
def test_whole_pixels_are_moved_exactly(shift):
    x = rng().random(11)
    moved = resampling(11, shift, 1.0) @ x
    inside = slice(max(0, shift), 11 + min(0, shift))
    assert np.array_equal(moved[inside], np.roll(x, shift)[inside])
    assert set(moved) <= set(x)  # the image is mirrored at its borders


def test_quadratics_are_reproduced_inside():
    n, shift, zoom = 40, 1.7, 1.1
    i, c = np.arange(n), (n - 1) / 2
    position = c + (i - c - shift) / zoom
    moved = resampling(n, shift, zoom) @ (0.3 * i**2 - 2.0 * i + 1)
    inside = (position > 1) & (position < n - 2)
    assert moved[inside] == pytest.approx((0.3 * position**2 - 2 * position + 1)[inside])
    assert resampling(n, shift, zoom).sum(1) == pytest.approx(1.0)


def test_an_image_is_moved_and_zoomed_as_another_library_does_it():
    """A smooth image, by splines of scipy with the same coordinates and borders."""
    side = 48
    y, x = np.mgrid[:side, :side] / side
    image = np.sin(7 * y + 1) * np.cos(5 * x) + y * x
    p = [(side - 1) / 2 + (np.arange(side) - (side - 1) / 2 - s) / z for s, z in ((2.3, 1.2), (-4.1, 0.9))]
    expected = map_coordinates(image, np.meshgrid(*p, indexing="ij"), order=5, mode="reflect")
    found = (resampling(side, -4.1, 0.9) @ (resampling(side, 2.3, 1.2) @ image).T).T
    inside = np.ix_(*((one > 3) & (one < side - 4) for one in p))
    assert np.abs(found - expected)[inside].max() < 1e-3


def test_a_placement_stays_in_its_bounds_and_in_its_precision():
    side = 64
    point = np.zeros((side, side), np.float32)
    point[40, 20] = 1
    for seed in range(50):
        moved = placement(rng(seed), point.shape, 0.05, 1.1)(point)
        assert moved.dtype == np.float32
        row, column = np.unravel_index(moved.argmax(), moved.shape)
        assert max(abs(row - 40), abs(column - 20)) <= 0.05 * side + 0.1 * side / 2 + 1
    image = (point + 1j).astype(np.complex64)
    assert placement(rng(), image.shape, 0.05, 1.1)(image).dtype == np.complex64


def test_some_placements_keep_their_pixels_and_some_do_not():
    image = rng().random((32, 32))
    kept = [set(placement(rng(s), image.shape, 0.1, 1.2)(image).ravel()) <= set(image.ravel()) for s in range(200)]
    assert 60 < sum(kept) < 140


def test_a_seed_gives_one_variant():
    image = rng().random((32, 32))
    first, again = (placement(rng(5), image.shape, 0.1, 1.2)(symmetry(rng(5), (0,))(image)) for _ in range(2))
    assert np.array_equal(first, again)


def test_the_kernel_is_keys():
    assert keys(np.array([0, 1, 2, 3.0])) == pytest.approx([1, 0, 0, 0])
    t = np.linspace(0, 1, 11)
    assert sum(keys(t + k) for k in (-2, -1, 0, 1)) == pytest.approx(1.0)


def test_gains_lie_around_one():
    gains = [gain(rng(seed), 1.25) for seed in range(1000)]
    assert min(gains) >= 1 / 1.25
    assert max(gains) <= 1.25
    assert np.log(gains).mean() == pytest.approx(0, abs=0.02)
