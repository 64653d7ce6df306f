"""On a blind track the physics does not hold the kernel, and methods run."""

import numpy as np
import pytest
import torch
from every_track import TRACKS, opened

from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.operators import Blind
from bench.evaluation.scores import scorer


@pytest.mark.parametrize("name", [name for name, track in TRACKS.items() if track.blind])
def test_a_blind_physics_does_not_hold_the_kernel(name):
    """Nor do the params: two images of other kernels meet operators that hold the same, and y is not A x."""
    problem, first = opened(name).problem, opened(name).sample("test")
    x, y, physics = opened(name).batched()
    assert first.params == {}
    assert isinstance(physics, Blind)
    tensors = [value for value in vars(physics).values() if isinstance(value, torch.Tensor)]
    assert all(tensor.numel() <= 1 for tensor in (*tensors, *physics.buffers(), *physics.parameters()))
    assert torch.equal(physics.A(x), x)
    image = problem.images["test"].load(first.id)
    blurred = [problem.measure(image, np.random.default_rng(seed))[1] for seed in range(2)]
    sigma = float(physics.noise_model.sigma)
    assert float((blurred[0] - blurred[1]).std()) > 2 * sigma * 2**0.5
    assert float((y - x).std()) > 2 * sigma


@pytest.mark.parametrize("name", [name for name, track in TRACKS.items() if track.blind])
@pytest.mark.parametrize("method", ["direct", "tv", "wavelet", "nlm", "shock_filter", "blind_deconvolution"])
def test_methods_run_on_a_blind_track(name, method):
    x, y, physics = opened(name).batched()
    made = registry.load_method(method)
    assert made.supports(TRACKS[name]) is None
    with torch.no_grad():
        x_hat = made()(y, physics)
    assert x_hat.shape == x.shape
    assert bool(torch.isfinite(x_hat).all())
    assert scorer(TRACKS[name])("", Estimate(x_hat), x.double(), {})["psnr"] > 15
