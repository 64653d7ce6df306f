"""`ct:ellipses` is the published experiment: its geometry, its noise, and the published scores of FBP and of TV."""

import math

import numpy as np
import pytest
import torch

from baselines.handcrafted.tv import TV
from bench.contract import registry
from bench.data.measurements import Measured, collate
from tasks.metrics.image import psnr
from tasks.phantoms.ellipses import SHEPP_LOGAN

TRACK = registry.track("ct:ellipses")
PROBLEM = registry.load_task("ct").open(TRACK)
FBP, TOTAL_VARIATION = 19.75, 28.06  # dB, as published
WEIGHT = 0.26  # of TV there, with ‖Ax − y‖² integrated over views and detector
NEAR = 0.3  # dB


def measured():
    _, x, y, params = collate([Measured(TRACK, PROBLEM, "test")[0]])
    return x, y, PROBLEM.physics(params, torch.device("cpu"))


def test_line_integrals_are_those_of_the_ellipses():
    """By the closed form for an ellipse, at angles in the middle of their thirtieth of half a turn."""
    x, y, physics = measured()
    s = (np.arange(183) - 91) * 128 * math.sqrt(2) / 183
    exact = np.zeros((30, 183))
    half = 127 / 2  # pixels between the centre and the centres of the outermost pixels
    for view in range(30):
        theta = (view + 0.5) * math.pi / 30
        for value, a, b, px, py, angle in SHEPP_LOGAN:
            width2 = (a * math.cos(theta - angle)) ** 2 + (b * math.sin(theta - angle)) ** 2
            t = s / half - px * math.cos(theta) - py * math.sin(theta)
            exact[view] += value * 2 * a * b * np.sqrt(np.maximum(width2 - t**2, 0)) / width2 * half
    assert y.shape == (1, 1, 30, 183)
    projected = physics.A(x)[0, 0].numpy()
    misfit = np.linalg.norm(projected - exact) / np.linalg.norm(exact)
    assert misfit < 0.04  # pixels have no partial volume
    for other in (projected[::-1], projected[:, ::-1], np.roll(projected, 1, 0)):
        assert np.linalg.norm(other - exact) / np.linalg.norm(exact) > 1.5 * misfit


def test_the_noise_has_five_percent_of_the_mean_line_integral():
    x, y, physics = measured()
    z = physics.A(x)
    assert float(physics.noise_model.sigma) == pytest.approx(0.05 * float(z.abs().mean()), rel=1e-6)
    assert float((y - z).std()) == pytest.approx(float(physics.noise_model.sigma), rel=0.03)


def test_filtered_backprojection_has_the_published_score():
    x, y, physics = measured()
    assert abs(psnr(physics.direct(y, "hann", 1.0).double(), x, {}, data_range=1.0) - FBP) < NEAR


def test_total_variation_with_the_published_weight_has_the_published_score():
    x, y, physics = measured()
    cell = math.pi / 30 * physics.geometry.spacing
    lam = WEIGHT / (2 * cell * physics.operator_norm**2)
    found = psnr(TV(lam=lam, iterations=400)(y, physics).double(), x, {}, data_range=1.0)
    assert abs(found - TOTAL_VARIATION) < NEAR


def test_a_simulated_sample_is_the_exact_one_but_for_the_noise():
    arrays = PROBLEM.images["train"].load(PROBLEM.images["train"].ids[7])
    x, y, params = PROBLEM.measure(arrays, np.random.default_rng(0))
    single = {"ellipses": torch.from_numpy(arrays["ellipses"]).float()[None]}
    x_drawn, y_drawn, params_drawn = PROBLEM.simulate(single, [torch.Generator().manual_seed(0)])
    assert x_drawn.dtype == y_drawn.dtype == params_drawn["sigma"].dtype == torch.float32
    assert float(((x_drawn[0] - x).abs() > 1e-6).double().mean()) < 1e-3  # pixels at an edge may fall in or out
    assert float(params_drawn["sigma"]) == pytest.approx(float(params["sigma"]), rel=1e-3)
    assert float((y_drawn[0] - y).std()) == pytest.approx(2**0.5 * float(params["sigma"]), rel=0.05)


def test_training_shows_as_many_phantoms_as_the_paper():
    assert len(PROBLEM.images["train"]) == 50_000
    assert TRACK.budget.steps * TRACK.budget.batch == 5 * 50_000
