"""The edges that the model of Mumford and Shah keeps."""

import torch
from deepinv.physics import Denoising

from baselines.handcrafted.mumford_shah import MumfordShah


def test_mumford_shah_keeps_a_high_step():
    """A step ten times κ stands, while the same smoothing without edges flattens it."""
    y = torch.zeros(1, 1, 8, 32, dtype=torch.float64)
    y[..., 16:] = 1
    kept = MumfordShah(5.0, 0.1, iterations=500)(y, Denoising())
    flat = MumfordShah(5.0, 1e3, iterations=500)(y, Denoising())
    assert float((kept - y).abs().max()) < 0.06
    assert float((flat - y).abs().max()) > 0.3
