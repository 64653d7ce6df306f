"""The scan through metal: what is measured, what no method is told, and methods that run on it as they are."""

from functools import cache

import numpy as np
import pytest
import torch

from bench.contract import registry
from bench.contract.construct import build
from bench.contract.task import Problem
from bench.data.measurements import Measured, TrainingStream, collate, collate_training, on_device
from tasks.ct import CEILING, WATER
from tasks.physics.xray import attenuation
from tasks.scanners.metal import MetalScanner

CPU = torch.device("cpu")
TRACK = registry.track("ct:mini-metal")


@cache
def opened() -> Problem:
    return registry.load_task("ct").open(TRACK)


@cache
def first():
    return Measured(TRACK, opened(), "val", 1)[0]


def disc(radius):
    side = np.arange(2 * 96) - (2 * 96 - 1) / 2
    return (side[:, None] ** 2 + side**2 < (radius * 192 / 40) ** 2).astype(float)


def scanned(**parts):
    """x and y of discs; each material is given as (radius in cm, attenuation)."""
    empty = np.zeros((192, 192))
    arrays = {name: empty for name in ("water", "bone", "titanium", "iron", "metal")}
    return MetalScanner(TRACK.options, WATER).measure(arrays | parts, np.random.default_rng(0))


def test_water_alone_is_measured_as_its_line_integrals():
    x, y, _ = scanned(water=attenuation("water") * disc(9))
    exact = opened().physics({}, CPU).A(x[None])[0]
    middle = y.shape[-1] // 2
    assert float((y - exact)[..., middle - 8 : middle + 8].mean()) == pytest.approx(0, abs=0.01)
    assert attenuation("water") == pytest.approx(WATER, rel=0.005)


def test_iron_is_seen_as_less_than_it_is_and_starves_thick_rays():
    iron = attenuation("iron") * disc(1)
    x, y, params = scanned(water=attenuation("water") * (disc(12) - disc(1)), iron=iron, metal=disc(1))
    middle = y.shape[-1] // 2
    through = float(y[..., middle - 1 : middle + 1].mean())
    assert through < 0.9 * (2 * attenuation("iron") + 22 * attenuation("water"))
    few = scanned(water=attenuation("water") * (disc(18) - disc(1)), iron=iron, metal=disc(1))[1]
    floor = float(few.max())  # one count, as also where none is counted
    assert (few == floor).double().mean() > 0.01
    assert floor == pytest.approx(np.log(1e5), abs=1)
    assert float(x.max()) == CEILING
    assert not params["mask"][0, 48, 48]


def test_no_operator_holds_what_the_scores_know_of_the_metal():
    params = {name: mask[None] for name, mask in first().params.items()}
    physics = opened().physics(params, CPU)
    assert set(params) == {"mask", "tissue"}
    tensors = [*vars(physics).values(), *physics.buffers(), *physics.parameters()]
    assert not any(isinstance(one, torch.Tensor) and one.numel() > 1 for one in tensors)
    assert physics.geometry == opened().physics({}, CPU).geometry
    assert float(params["tissue"].sum()) > 100
    assert float(params["mask"].mean()) > 0.95


@pytest.mark.parametrize(
    ("name", "few"),
    [
        ("tv", {"iterations": 2}),
        ("art", {"sweeps": 1}),
        ("unet", {"width": 4}),
        ("learned_primal_dual", {"iterations": 1}),
    ],
)
def test_methods_that_know_of_no_metal_run_as_they_are(name, few):
    _, x, y, params = collate([first()])
    method = build(registry.load_method(name), TRACK, few)
    with torch.no_grad():
        x_hat = method.eval()(y, opened().physics(params, CPU))
    assert x_hat.shape == x.shape
    assert bool(torch.isfinite(x_hat).all())
    if method.learned:
        stream = TrainingStream(TRACK, opened(), 0, 2)
        x, y, params = on_device(opened(), collate_training([stream[0], stream[1]]), CPU)
        loss = method.train().loss(method(y, opened().physics(params, CPU)), x)
        loss.backward()
        assert bool(torch.isfinite(loss))
        assert any(bool(one.grad.abs().sum() > 0) for one in method.parameters() if one.grad is not None)
