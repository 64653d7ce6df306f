"""Images and operators that several tests use."""

import skimage.data
import torch
from deepinv.physics import BlurFFT


def image(*shape, seed=0):
    """A slope, a step and noise, float64."""
    rng = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0.2, 0.8, shape[-1], dtype=torch.float64).expand(shape).clone()
    ramp[..., shape[-1] // 2 :] += 0.5
    return ramp + 0.05 * torch.randn(shape, dtype=torch.float64, generator=rng)


def blur(side=16):
    return BlurFFT((1, side, side), torch.ones(1, 1, 3, 3, dtype=torch.float64) / 9)


def psnr(x_hat, x):
    return float(-10 * (x_hat - x).square().mean().log10())


def noisy_photograph(rows, columns, sigma, photograph=skimage.data.camera):
    """A part of a photograph, (1, 1, H, W), and it with seeded white noise."""
    x = torch.from_numpy(photograph()[None, None, rows, columns] / 255).float()
    return x, x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
