"""Brain phantoms: complex, with a smooth phase."""

import numpy as np
import pytest

from tasks.phantoms.brain import brain


def test_brain_is_complex_with_a_largest_magnitude_of_one():
    image = brain(0, 0)
    assert image.dtype == np.complex128
    assert abs(image).max() == pytest.approx(1)
    inside = abs(image) > 0.2
    steps = np.angle(image[1:] * image[:-1].conj())[inside[1:] & inside[:-1]]
    assert abs(steps).max() < 0.2  # the phase is smooth
    assert np.angle(image[inside] * np.conj(image[inside].mean())).std() > 0.1
