"""The physics of a track maps an image to its measurement, has its adjoint, and gives `direct` an image to score."""

import torch
from deepinv import physics as models
from every_track import CPU, batched, opened, sample

from bench.contract.method import Estimate
from bench.contract.operators import direct
from bench.data.measurements import collate
from bench.evaluation.scores import scorer

EXACT = 1e-4  # relative, of single precision sums

NOISE_MODELS = {
    "gaussian": models.GaussianNoise,
    "poisson": models.PoissonNoise,
    "impulse": models.SaltPepperNoise,
    "speckle": models.GammaNoise,
    "laplace": models.LaplaceNoise,
    "rician": models.RicianNoise,
    "photon": models.LogPoissonNoise,
    "none": models.ZeroNoise,
}

LARGEST_RESIDUAL = 0.6  # of a measurement, by noise and by the finer grid it was made on


def test_physics_maps_the_image_to_what_was_measured(open_track):
    x, y, physics = batched(open_track.id)
    exact = physics.A(x)
    assert exact.shape == y.shape
    assert exact.dtype == y.dtype
    measured = y != 0  # a field is masked to the brain
    assert float((exact - y)[measured].norm() / y.norm()) < LARGEST_RESIDUAL
    assert isinstance(physics.noise_model, NOISE_MODELS[open_track.noise])


def test_physics_has_its_adjoint(open_track):
    x, y, physics = batched(open_track.id)
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) for tensor in (x, y))
    adjoint = physics.A_adjoint(v)
    assert (adjoint.shape, adjoint.dtype) == (x.shape, x.dtype)
    forward = physics.A(u)
    left, right = (float((a.conj() * b).real.double().sum()) for a, b in ((forward, v), (u, adjoint)))
    assert abs(left - right) <= EXACT * float(forward.norm() * v.norm())


def test_physics_is_fresh_and_is_not_changed_by_its_use(open_track):
    _, _, _, params = collate([sample(open_track.id, "test")])
    x, _, _ = batched(open_track.id)
    problem = opened(open_track.id)
    first, second = problem.physics(params, CPU), problem.physics(params, CPU)
    assert first is not second
    before = second.A(x)
    direct(first.A(2 * x), first)
    assert torch.equal(second.A(x), before)


def test_direct_can_be_scored_and_a_better_image_scores_better(open_track):
    x, y, physics = batched(open_track.id)
    image = sample(open_track.id, "test")
    x_hat = direct(y, physics)
    assert x_hat.shape == x.shape
    score = scorer(open_track)
    params = {key: value[None] for key, value in image.params.items()}
    scores = score(image.id, Estimate(x_hat), image.x[None], params)
    nearer = image.x[None] + 0.1 * (x_hat.double() - image.x[None])
    better = score(image.id, Estimate(nearer), image.x[None], params)
    of_images = [metric for metric in open_track.metrics if metric.of == "image"]
    assert list(scores) == [metric.name for metric in of_images]
    for metric in of_images:
        gain = better[metric.name] - scores[metric.name]
        assert (gain if metric.higher_is_better else -gain) > 0, metric.name
