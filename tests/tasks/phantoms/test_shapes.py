"""The building blocks of phantoms against closed forms."""

import numpy as np
import pytest

from tasks.phantoms.shapes import Spots, coarsen, coverage, ellipsoid, grid, paint, smooth_field, stroke


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


@pytest.mark.parametrize("shape", [(40, 48), (32, 24, 40)])
def test_a_spot_has_the_bits_of_the_whole_grid(shape):
    rng = np.random.default_rng(3)
    points = [axis + 0.05 * smooth_field(rng, shape, 0.2) for axis in grid(*shape)]
    spots, dims = Spots(points), len(shape)
    boxed = rng.random(shape)
    whole = boxed.copy()
    for _ in range(60):  # some stand across the edge of the grid, some outside of it, some between its pixels
        value, angle, width = rng.standard_normal(), rng.uniform(-4, 4), rng.uniform(0.02, 0.15)
        centre, radii = rng.uniform(-1.3, 1.3, dims), rng.uniform(0.005, 0.4, dims)
        spots.paint(boxed, value, centre, radii, angle, width=width)
        paint(whole, value, coverage(ellipsoid(points, centre, radii, angle), width))
    np.testing.assert_array_equal(boxed, whole)


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
