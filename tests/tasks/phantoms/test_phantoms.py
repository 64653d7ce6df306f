"""The phantoms' building blocks against closed forms, and what every phantom promises."""

import numpy as np
import pytest

from tasks.phantoms.brain import brain, coil_maps
from tasks.phantoms.dead_leaves import dead_leaves
from tasks.phantoms.head import head
from tasks.phantoms.shapes import coarsen, coverage, ellipsoid, grid, smooth_field, stroke
from tasks.phantoms.thorax import MAXIMUM, thorax


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


def test_coarsen_averages_blocks():
    x = np.arange(2 * 4 * 6.0).reshape(2, 4, 6)
    expected = [[[block.mean() for block in np.split(row, 3, axis=1)] for row in np.split(plane, 2)] for plane in x]
    np.testing.assert_allclose(coarsen(x, dims=2), expected)
    np.testing.assert_allclose(coarsen(x), np.array(expected).mean(0, keepdims=True))
    with pytest.raises(ValueError, match="blocks of 4"):
        coarsen(x, 4)


def test_coverage_of_an_ellipsoid_is_its_volume():
    radii = (0.5, 0.3, 0.4)
    points = grid(64, 64, 64)
    volume = coverage(ellipsoid(points, (0.1, 0, -0.1), radii, 0.4), 2 / 64).sum() * (2 / 64) ** 3
    assert volume == pytest.approx(4 / 3 * np.pi * np.prod(radii), rel=2e-3)


@pytest.mark.parametrize("radius", [0.1, 0.004])
def test_a_stroke_covers_its_area_even_below_a_pixel(radius):
    cover = np.zeros((128, 128))
    stroke(cover, np.array([-0.4, -0.3]), np.array([0.5, 0.2]), (radius, radius))
    length = np.hypot(0.9, 0.5)
    area = 2 * radius * length + (np.pi * radius**2 if radius > 2 / 128 else 0)
    assert cover.sum() * (2 / 128) ** 2 == pytest.approx(area, rel=0.05)


@pytest.mark.parametrize("scale", [0.03, 0.1])
def test_a_smooth_field_has_its_variance_and_correlation(scale):
    fields = np.stack([smooth_field(np.random.default_rng(i), (64, 64), scale) for i in range(100)])
    assert fields.mean() == pytest.approx(0, abs=1e-12)
    assert fields.var() == pytest.approx(1)
    # White noise under a Gaussian of width s is correlated as exp(-d^2 / (4 s^2)).
    shift = round(scale * 64)
    expected = np.exp(-((shift / 64) ** 2) / (4 * scale**2))
    assert (fields * np.roll(fields, shift, axis=2)).mean() == pytest.approx(expected, abs=0.07)
    fine, coarse = (smooth_field(np.random.default_rng(1), (n, n), scale) for n in (128, 64))
    np.testing.assert_allclose(coarsen(fine), coarse, atol=0.05)


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


def test_brain_is_complex_with_a_largest_magnitude_of_one():
    image = brain(0, 0)
    assert image.dtype == np.complex128
    assert abs(image).max() == pytest.approx(1)
    inside = abs(image) > 0.2
    steps = np.angle(image[1:] * image[:-1].conj())[inside[1:] & inside[:-1]]
    assert abs(steps).max() < 0.2  # the phase is smooth
    assert np.angle(image[inside] * np.conj(image[inside].mean())).std() > 0.1


def test_coil_maps_are_smooth_and_of_unit_sum_of_squares():
    fine, coarse = (coil_maps((n, n), 6, np.random.default_rng(2)) for n in (128, 64))
    assert fine.shape == (6, 128, 128)
    np.testing.assert_allclose((abs(fine) ** 2).sum(0), 1)
    for axis in (1, 2):
        assert abs(np.diff(fine, axis=axis)).max() < 0.1
    assert abs(coarsen(fine, dims=2) - coarse).max() < 0.02


def test_head_is_a_susceptibility_in_ppm_inside_its_mask():
    volume, mask = head(0, 0, 48)
    assert volume.shape == mask.shape == (48, 48, 48)
    assert mask.dtype == bool
    assert 0.1 < mask.mean() < 0.4
    assert not volume[~mask].any()
    for axis in range(3):  # air all around: a dipole field needs room
        assert not np.take(mask, [0, 1, -2, -1], axis).any()
    assert -0.35 < volume.min() < -0.03
    assert 0.15 < volume.max() < 0.7
    assert abs(volume[mask].mean()) < 0.02
    assert 0.02 < volume[mask].std() < 0.06
