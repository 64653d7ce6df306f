"""Deep ADMM-Net: its size, plain ADMM before training, and that it learns."""

import numpy as np
import pytest
import torch
from learning import assert_equivariant_to_the_unit, assert_learns_one_image
from scipy.fft import idctn
from scipy.ndimage import convolve

from baselines.raw_to_image.admm_net import AdmmNet
from bench.contract.toy_operators import toys


@pytest.mark.parametrize(("stages", "count"), [(7, 8_640), (14, 15_304), (15, 16_256)])
def test_it_has_the_parameters_of_the_paper(stages, count):
    assert sum(p.numel() for p in AdmmNet(stages=stages).parameters()) == count


KNOTS = np.linspace(-1, 1, 101)  # the threshold 1/20 lies between two of them


def soft(v):
    return np.sign(v) * np.maximum(abs(v) - 1 / 20, 0)


@pytest.mark.parametrize(
    ("shrink", "within"),
    [(lambda v: np.interp(v, KNOTS, soft(KNOTS)), 1e-5), (soft, 0.01)],
    ids=["interpolated soft thresholding", "soft thresholding"],
)
def test_untrained_it_is_admm(shrink, within):
    """By NumPy, in double precision, with filters of SciPy's cosine transform and its wrapped convolution."""
    toy = next(toy for toy in toys() if toy.track.name == "real mri")
    mask = toy.params["mask"][0, 0].numpy()
    kspace = np.fft.ifftshift(toy.y[0, 0].numpy() + 1j * toy.y[0, 1].numpy())
    sampled = np.fft.ifftshift(mask)
    mirrored = np.roll(sampled[::-1, ::-1], (1, 1), (0, 1))
    zero_filled = np.fft.ifft2(kspace * sampled, norm="ortho").real

    def cosine(row: int, column: int) -> np.ndarray:
        unit = np.zeros((3, 3))
        unit[row, column] = 1
        return idctn(unit, norm="ortho")

    filters = [cosine(row, column) for column in range(3) for row in range(3)][1:]
    spectrum = sum(0.2 * abs(np.fft.fft2(f, mask.shape)) ** 2 for f in filters)
    z = beta = np.zeros((8, *mask.shape))

    def image_step() -> np.ndarray:
        adjoint = sum(0.2 * convolve(v, f[::-1, ::-1], mode="wrap") for v, f in zip(z - beta, filters, strict=True))
        return np.fft.ifft2(np.fft.fft2(zero_filled + adjoint) / ((sampled + mirrored) / 2 + spectrum)).real

    for _ in range(5):
        c = np.stack([convolve(image_step(), f, mode="wrap") for f in filters])
        z = shrink(c + beta)
        beta = beta + 1.6 * (c - z)
    with torch.no_grad():
        found = AdmmNet(stages=3, normalise=False)(toy.y[:1], toy.one(0)[1])[0, 0]
    assert np.abs(found.numpy() - image_step()).max() < within * np.abs(image_step()).max()


def test_equivariant_to_the_unit():
    assert_equivariant_to_the_unit(AdmmNet(stages=1))


def test_learns_one_image():
    assert_learns_one_image(AdmmNet(stages=1), rate=1e-2, share=0.4)
