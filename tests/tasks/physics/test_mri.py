"""MRI against numpy.fft written out, and its masks."""

import numpy as np
import pytest
import torch

from tasks.physics.mri import MRI, MultiCoilMRI, RealMRI, variable_density_mask


def centred_fft(x: np.ndarray) -> np.ndarray:
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(x, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))


@pytest.fixture(params=[(8, 10), (7, 9)], ids=["even", "odd"], name="image")
def _image(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, *request.param)) + 1j * rng.standard_normal((2, *request.param))


def channels(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([x.real, x.imag], axis=1))


def test_single_coil(image: np.ndarray) -> None:
    mask = np.random.default_rng(1).random(image.shape[1:]) < 0.5
    parameter = torch.from_numpy(mask.astype(float))[None, None]
    torch.testing.assert_close(MRI(parameter).A(channels(image)), channels(mask * centred_fft(image)))
    real = torch.from_numpy(image.real)[:, None]
    torch.testing.assert_close(RealMRI(parameter).A(real), channels(mask * centred_fft(image.real)))


def test_several_coils_combine_to_the_image_when_fully_sampled(image: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    coils = rng.standard_normal((2, 4, *image.shape[1:])) + 1j * rng.standard_normal((2, 4, *image.shape[1:]))
    physics = MultiCoilMRI(torch.ones(2, 1, *image.shape[1:], dtype=torch.float64), torch.from_numpy(coils))
    y = physics.A(channels(image))
    torch.testing.assert_close(y, channels(centred_fft(coils * image[:, None])))
    torch.testing.assert_close(physics.direct(y), channels(image))


def test_dc_is_the_central_sample() -> None:
    y = RealMRI(torch.ones(1, 1, 8, 6)).A(torch.ones(1, 1, 8, 6))
    assert float(y[0, 0, 4, 3]) == pytest.approx(48**0.5)
    assert float(y.abs().sum()) == pytest.approx(48**0.5, rel=1e-4)


@pytest.mark.parametrize("width", [96, 95])
def test_variable_density_mask(width: int) -> None:
    masks = [variable_density_mask((16, width), 4, 0.08, np.random.default_rng(seed)) for seed in range(50)]
    assert masks[0].shape == (1, 16, width)
    assert torch.equal(masks[0], variable_density_mask((16, width), 4, 0.08, np.random.default_rng(0)))
    mean = torch.stack(masks).mean(0)[0, 0]
    assert {float(mask[0, 0].sum()) for mask in masks} == {24.0}
    assert (mean[width // 2 - 3 : width // 2 + 4] == 1).all()
    inner, outer = mean[width // 4 : width // 4 * 3].mean(), mean[: width // 4].mean()
    assert inner > 3 * outer
    with pytest.raises(ValueError, match="do not fit"):
        variable_density_mask((16, 16), 4, 0.5, np.random.default_rng(0))
