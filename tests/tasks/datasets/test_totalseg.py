"""The labelled volume lies as it should, and its organs have the densities of organs."""

import numpy as np
import pytest

from tasks.datasets.totalseg import AIR, ORGANS, framed, totalseg


def test_a_slice_is_put_in_the_middle_of_a_square_or_cut():
    image = np.arange(15.0).reshape(3, 5)
    wide = framed(image, 7, -1)
    np.testing.assert_array_equal(wide[2:5, 1:6], image)
    assert (wide == -1).sum() == 49 - 15
    np.testing.assert_array_equal(framed(image, 3, 0), image[:, 1:4])
    np.testing.assert_array_equal(framed(framed(image, 9, 0), 4, 0)[:, 0], framed(image, 4, 0)[:, 0])


@pytest.mark.data("totalseg")
def test_organs_lie_on_their_sides_and_have_their_densities():
    images = totalseg(128)
    assert len(images) == 30
    assert {images.group_of(name) for name in images.ids} == {"one volume"}
    loaded = [images.load(name) for name in images.ids[::3]]
    units, shares = (np.stack([one[key] for one in loaded]) for key in ("image", "shares"))
    shares = dict(zip(ORGANS, np.moveaxis(shares, 1, 0), strict=True))
    assert units[:, 0, 0] == pytest.approx(AIR)
    rows, columns = np.indices(units.shape[1:])
    centre = {
        name: [np.average(axis, weights=share.sum(0)) for axis in (rows, columns)] for name, share in shares.items()
    }
    assert centre["liver"][1] < centre["spine"][1] < centre["spleen"][1]  # the patient's right on the left
    assert centre["spine"][0] > centre["liver"][0]  # the back below
    mean = {name: units[share > 0].mean() for name, share in shares.items()}
    assert 40 < mean["liver"] < 60  # as without a contrast agent; the spleen has about ten less
    assert 3 < mean["liver"] - mean["spleen"] < 20
    assert mean["spine"] > 100
