"""Dead leaves: sizes, occlusion and texture."""

import numpy as np

from tasks.phantoms.dead_leaves import dead_leaves


def test_images_are_grey_covered_and_varied():
    images = [dead_leaves(0, index, 64) for index in range(6)]
    for image in images:
        assert image.shape == (64, 64)
        assert image.min() >= 0
        assert image.max() <= 1
        assert image.std() > 0.05
        assert (image == 0).mean() < 0.2  # nothing is left bare


def test_spectrum_falls_as_that_of_photographs():
    # Power of natural images falls about as frequency^-2 (Lee, Mumford and Huang 2001).
    power = sum(abs(np.fft.fft2(x - x.mean())) ** 2 for x in (dead_leaves(1, i, 96) for i in range(8)))
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(96), np.fft.fftfreq(96)))
    rings = [(low, power[(f >= low) & (f < 1.4 * low)].mean()) for low in np.geomspace(0.03, 0.3, 6)]
    slope = np.polyfit(*np.log(np.array(rings)).T, 1)[0]
    assert -3.2 < slope < -1.5
