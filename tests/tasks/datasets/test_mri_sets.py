"""The sets are the published ones: zero-filled figures, masks, and splits that share nothing."""

import numpy as np
import pytest

from tasks.datasets.mri_sets import brain_istanet, cardiac_admmnet, istanet_mask, siat31, siat_mask
from tasks.phantoms.shapes import coarsen

NEAR_DUPLICATE = 0.9  # correlation of neighbouring slices of one subject, at an eighth of the resolution


@pytest.mark.data("brain-istanet")
def test_zero_filled_psnr_of_the_real_part_is_the_published_one():
    # ADMM-Net (NIPS 2016) at 20 to 50 %: 29.96, 32.59, 34.76, 36.73; the last digit differs with the masks' rounding.
    expected = {10: 26.34, 20: 29.95, 30: 32.58, 40: 34.75, 50: 36.71}
    images = brain_istanet()
    assert len(images) == 50
    x = np.stack([images.load(image) for image in images.ids])
    assert x.dtype == np.float64
    assert x.max() == 1
    spectrum = np.fft.fft2(x)
    for percent, psnr in expected.items():
        x_hat = np.fft.ifft2(np.fft.ifftshift(istanet_mask(percent)) * spectrum).real
        mse = ((x_hat - x) ** 2).mean((1, 2))
        assert (-10 * np.log10(mse)).mean() == pytest.approx(psnr, abs=0.005)


@pytest.mark.data("brain-istanet", "siat31")
def test_masks_sample_the_low_frequencies_at_the_centre():
    masks = [istanet_mask(percent) for percent in (10, 20, 30, 40, 50)]
    masks += [siat_mask("radial", percent) for percent in (10, 15, 20, 25, 30)]
    for mask in masks:
        assert mask.shape == (256, 256)
        assert mask.dtype == bool
        assert mask[126:131, 126:131].all()
        rows, columns = np.nonzero(mask)
        assert abs(rows.mean() - 128) < 1
        assert abs(columns.mean() - 128) < 1
    assert [round(mask.mean(), 2) for mask in masks[:5]] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert siat_mask("radial", 20).mean() == pytest.approx(0.207, abs=1e-3)


@pytest.mark.data("siat31")
def test_siat_slices_are_complex_with_a_largest_magnitude_of_one():
    images = siat31()
    assert len(images) == 21
    x = images.load(images.ids[0])
    assert x.shape == (256, 256)
    assert x.dtype == np.complex128
    assert abs(x).max() == pytest.approx(1)
    assert abs(x.imag).max() > 0.1


@pytest.mark.data("cardiac-admmnet")
def test_the_splits_of_the_cardiac_images_share_no_near_duplicate():
    splits = cardiac_admmnet()
    assert splits["train"].ids[:2] == ("im-01", "im-02")
    assert splits["val"].ids[-1] == "im-100"
    small = {}
    for name, images in splits.items():
        x = np.stack([coarsen(images.load(image), 8).ravel() for image in images.ids])
        assert x.min() >= 0
        assert x.max() <= 1
        x -= x.mean(1, keepdims=True)
        small[name] = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert (small["train"] @ small["val"].T).max() < NEAR_DUPLICATE


@pytest.mark.data("cardiac-admmnet")
def test_matlab_files_are_read_in_the_orientation_of_matlab():
    import h5py

    from bench.data.manifest import file

    with h5py.File(file("cardiac-admmnet", "im-03.mat")) as stored:
        raw = stored["im_ori"][()]
    x = cardiac_admmnet()["train"].load("im-03")
    assert x[10, 200] == raw[200, 10]
    np.testing.assert_array_equal(x, raw.T)


@pytest.mark.data("brain-istanet")
def test_the_brain_images_are_two_stacks_of_neighbouring_slices():
    """Neighbours look alike but where a stack ends: the least likeness is between the two groups."""
    images = brain_istanet()
    x = np.stack([coarsen(images.load(image), 8).ravel() for image in images.ids])
    x -= x.mean(1, keepdims=True)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    likeness = (x[1:] * x[:-1]).sum(1)
    groups = [images.group_of(image) for image in images.ids]
    ends = [i for i in range(49) if groups[i] != groups[i + 1]]
    assert ends == [int(likeness.argmin())]
    assert np.sort(likeness)[1] > 0.65 > 0.45 > likeness.min()


@pytest.mark.data("siat31")
def test_six_consecutive_siat_files_are_a_group():
    images = siat31()
    groups = [images.group_of(image) for image in images.ids]
    assert [groups.count(group) for group in dict.fromkeys(groups)] == [6, 6, 6, 3]
    # The first two of each group are axial: most like those of the other groups, at a sixth of the resolution.
    x = np.stack([coarsen(abs(images.load(image)), 16).ravel() for image in images.ids])
    x -= x.mean(1, keepdims=True)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    likeness = x @ x.T
    plane = np.arange(21) % 6 // 2
    same, other = (likeness[(plane[:, None] == plane) == equal] for equal in (True, False))
    off_diagonal = same[same < 1 - 1e-9]
    assert off_diagonal.mean() > other.mean() + 0.2
