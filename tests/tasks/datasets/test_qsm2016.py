"""The 2016 challenge volume and the published error of its simplest reconstruction."""

import numpy as np
import pytest
import torch

from tasks.datasets.qsm2016 import qsm2016
from tasks.metrics.qsm import hfen, nrmse, xsim


@pytest.fixture(scope="module")
def volume():
    return qsm2016()


def tkd(volume, threshold: float) -> torch.Tensor:
    """Truncated k-space division, the kernel's sign kept where it is truncated."""
    k = np.meshgrid(
        *(np.fft.fftfreq(n, d) for n, d in zip(volume.field.shape, volume.voxel, strict=True)), indexing="ij"
    )
    squares = sum(axis**2 for axis in k)
    squares[0, 0, 0] = 1
    kernel = 1 / 3 - k[2] ** 2 / squares
    kernel[0, 0, 0] = 0
    small = np.abs(kernel) < threshold
    kernel[small] = np.where(kernel[small] < 0, -threshold, threshold)
    chi = np.fft.ifftn(np.fft.fftn(volume.field) / kernel).real
    return torch.from_numpy(chi)[None, None]


@pytest.mark.data("qsm2016")
@pytest.mark.parametrize(("threshold", "percent"), [(0.20, 84.228), (0.15, 99.329)])
def test_tkd_has_its_known_error(volume, threshold, percent):
    x, mask = (torch.from_numpy(array)[None, None] for array in (volume.chi, volume.mask))
    x_hat = tkd(volume, threshold)
    assert nrmse(x_hat, x, {"mask": mask}) == pytest.approx(percent, abs=0.001)
    assert 0 < hfen(x_hat, x, {"mask": mask}) < 200
    assert 0 < xsim(x_hat, x, {"mask": mask}) < 1


@pytest.mark.data("qsm2016")
def test_the_voxel_size_comes_from_the_header(volume):
    assert volume.voxel == pytest.approx((1.0625, 1.0625, 1.0714), abs=1e-4)
    assert volume.mask.dtype == bool
    assert volume.chi[volume.mask].std() == pytest.approx(0.04, abs=0.02)
