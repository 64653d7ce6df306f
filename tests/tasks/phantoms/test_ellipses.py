"""Phantoms of ellipses: against another library's image, and against the law of the published experiment."""

import numpy as np
import torch
from skimage.data import shepp_logan_phantom

from tasks.phantoms.ellipses import MOST, image_of, random_ellipses, random_head, shepp_logan

RNG = np.random.default_rng(0)


def drawn(make, count=400):
    return np.stack([make(np.random.default_rng([4, index])) for index in range(count)])


def test_the_modified_shepp_logan_phantom_is_the_one_of_scikit_image():
    ours = image_of(torch.from_numpy(shepp_logan(RNG)), 400).numpy()
    theirs = shepp_logan_phantom()
    apart = np.abs(ours - theirs) > 0.01  # edges differ by a pixel
    assert apart.mean() < 0.025
    assert np.abs(np.where(apart, 0, ours - theirs)).max() < 0.01
    assert abs(ours.min()) < 1e-12
    assert ours.max() == 1
    flipped = np.abs(ours[::-1] - theirs) > 0.01
    assert flipped.mean() > 2 * apart.mean()  # its small ellipses are at the bottom


def test_an_ellipse_has_its_area_place_and_angle():
    row = torch.tensor([[2.0, 0.5, 0.2, 0.3, -0.1, 0.6]], dtype=torch.float64)
    image = image_of(row, 512).numpy() / 2
    axis = np.linspace(-1, 1, 512)
    x, y = np.meshgrid(axis, -axis)
    area = image.sum() * (2 / 511) ** 2
    assert abs(area / (np.pi * 0.5 * 0.2) - 1) < 0.005
    assert abs((image * x).sum() / image.sum() - 0.3) < 0.002
    assert abs((image * y).sum() / image.sum() + 0.1) < 0.002
    dx, dy = x - 0.3, y + 0.1
    covariance = (image * dx * dy).sum() / image.sum()
    assert abs(covariance - (0.5**2 - 0.2**2) / 8 * np.sin(1.2)) < 1e-3  # (a² − b²)/4 · sin 2θ/2


def test_random_ellipses_follow_the_published_law():
    rows = drawn(random_ellipses)
    number = (rows[..., 0] != 0).sum(1)
    assert rows.shape == (400, MOST, 6)
    assert abs(number.mean() - 50) < 1.5  # of Poisson numbers of mean 50: 4 standard errors
    assert 40 < number.var() < 62
    value, a, b, x, y, angle = rows[rows[..., 0] != 0].T
    assert abs(np.mean(value)) < 0.005
    assert abs(np.mean(np.abs(value)) - 0.25 * 0.4) < 0.004
    assert abs(np.mean(a) - 0.2) < 0.006
    assert abs(np.mean(b) - 0.2) < 0.006
    for place in (x, y):
        assert abs(place.var() - 1 / 3) < 0.01  # uniform in [-1, 1]
    assert abs(angle.mean() - np.pi) < 0.06


def test_heads_are_like_the_phantom_and_stay_inside_of_the_field():
    rows, original = drawn(random_head, 50), shepp_logan(RNG)
    assert np.abs(np.median(rows[:, :10] - original[:10], axis=0)).max() < 0.2
    assert (rows[:, 0, 1:3].max(1) < 1).all()
    images = [image_of(torch.from_numpy(one), 64).numpy() for one in rows]
    assert len({one.tobytes() for one in images}) == 50
    assert all(one[0].max() == one[:, 0].max() == 0 for one in images)
