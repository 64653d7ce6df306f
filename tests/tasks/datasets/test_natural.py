"""BSD, whose splits share no image, and the crops of training."""

import numpy as np
import pytest
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

from tasks.datasets.natural import augment, images
from tasks.phantoms.shapes import coarsen

# Normalised correlation of details: up to 0.56 between different photographs, from 0.75 for a crop of the same one
NEAR_DUPLICATE = 0.65


def test_augment_crops_and_turns():
    x = np.arange(20.0 * 30).reshape(20, 30)
    crop = augment(8)
    patches = [crop(x, np.random.default_rng(seed)) for seed in range(60)]
    assert {patch.shape for patch in patches} == {(8, 8)}
    assert all(patch.flags.c_contiguous for patch in patches)
    steps = {(patch[0, 1] - patch[0, 0], patch[1, 0] - patch[0, 0]) for patch in patches}
    assert steps == {(a, b) for i in (1, -1) for j in (30, -30) for a, b in ((i, j), (j, i))}
    np.testing.assert_array_equal(patches[3], crop(x, np.random.default_rng(3)))
    with pytest.raises(ValueError, match="does not fit"):
        augment(21)(x, np.random.default_rng(0))


@pytest.mark.data("bsd400", "bsd68")
def test_bsd_keeps_its_sizes_and_orientations():
    splits = images("bsd")
    assert {name: len(split) for name, split in splits.items()} == {"train": 360, "val": 40, "test": 68}
    assert splits["val"].ids[0] == "test_361"
    assert splits["train"].load("test_001").shape == (180, 180)
    assert {splits["test"].load(image).shape for image in splits["test"].ids} == {(321, 481), (481, 321)}
    assert splits["test"].load("test001").max() <= 1


def details(x: np.ndarray, factor: int = 5) -> np.ndarray:
    """What tells photographs apart: the image without its brightness, which correlates wherever there is a horizon."""
    height, width = (n // factor for n in x.shape)
    small = coarsen(x[: height * factor, : width * factor], factor)
    return small - gaussian_filter(small, 2.5)


def best_match(image: np.ndarray, templates: np.ndarray) -> float:
    """Largest normalised correlation of any template (N, h, w), anywhere within the image."""
    _, h, w = templates.shape
    templates = templates - templates.mean((1, 2), keepdims=True)
    templates /= np.linalg.norm(templates, axis=(1, 2), keepdims=True)
    spectrum = rfft2(image)
    box = np.zeros_like(image)
    box[:h, :w] = 1

    def valid(correlation):
        return correlation[..., : image.shape[0] - h + 1, : image.shape[1] - w + 1]

    total, squares = (valid(irfft2(rfft2(t) * rfft2(box).conj(), s=image.shape)) for t in (image, image**2))
    norm = np.sqrt(np.maximum(squares - total**2 / (h * w), 1e-6))
    return float((valid(irfft2(spectrum * rfft2(templates, s=image.shape).conj(), s=image.shape)) / norm).max())


def orientations(stack: np.ndarray) -> list[np.ndarray]:
    turned = [np.rot90(stack, k, axes=(1, 2)) for k in range(4)]
    return turned + [t[:, :, ::-1] for t in turned]


@pytest.mark.data("bsd400", "bsd68")
def test_bsd_splits_share_no_image():
    splits = images("bsd")
    small = {name: [details(split.load(image)) for image in split.ids] for name, split in splits.items()}
    # The search finds a crop of a test image that is turned, of another contrast and off the grid.
    for index in range(0, 68, 10):
        crop = np.rot90(splits["test"].load(splits["test"].ids[index])[63:243, 101:281]) * 0.8 + 0.1
        assert max(best_match(small["test"][index], t) for t in orientations(details(crop)[None])) > NEAR_DUPLICATE
    # Upright for BSD68; all orientations for validation.
    pool = np.stack(small["train"] + small["val"])
    for image in small["test"]:
        assert best_match(image, pool) < NEAR_DUPLICATE
    centres = np.stack(small["val"])[:, 4:-4, 4:-4]
    for turned in orientations(centres):
        assert max(best_match(image, turned) for image in small["train"]) < NEAR_DUPLICATE
