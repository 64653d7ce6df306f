"""The physics maps an image to its measurement and has its adjoint; `direct` gives an image to score."""

from __future__ import annotations

import inspect

import torch

from bench.contract.method import Estimate
from bench.contract.operators import direct
from bench.contract.space import Choice
from bench.contract.toy_trial import Breach
from bench.data.measurements import collate
from bench.evaluation.scores import scorer
from bench.task_checks.opened import CPU, Opened
from bench.task_checks.samples import matches

EXACT = 1e-4  # relative, of single precision sums
LARGEST_RESIDUAL = 0.6  # of a measurement, by noise and by the finer grid it was made on
NEARER = 0.1  # of the error of `direct` is left in an image that must score better


def maps_the_image_to_the_measurement(opened: Opened) -> None:
    x, y, physics = opened.batched()
    exact = physics.A(x)
    matches("A(x)", exact, y)
    measured = y != 0  # a field is masked to the brain
    residual = float((exact - y)[measured].norm() / y.norm())
    if not residual < LARGEST_RESIDUAL:
        raise Breach(f"y is {residual:.2f} of its norm away from A(x), expected less than {LARGEST_RESIDUAL}")


def has_its_adjoint(opened: Opened) -> None:
    x, y, physics = opened.batched()
    generator = torch.Generator().manual_seed(0)
    u, v = (torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) for tensor in (x, y))
    forward, adjoint = physics.A(u), physics.A_adjoint(v)
    matches("A_adjoint(y)", adjoint, x)
    left, right = (float((a.conj() * b).real.double().sum()) for a, b in ((forward, v), (u, adjoint)))
    if not abs(left - right) <= EXACT * float(forward.norm() * v.norm()):
        raise Breach(f"<A u, v> is {left:.6g}, but <u, A_adjoint(v)> {right:.6g}: A_adjoint is not the adjoint of A")


def is_fresh(opened: Opened) -> None:
    """Every call of ``physics`` makes an operator of its own, and the use of one changes no other."""
    _, _, _, params = collate([opened.sample("test")])
    x = opened.batched()[0]
    first, second = (opened.problem.physics(params, CPU) for _ in range(2))
    if first is second:
        raise Breach("two calls of physics(params, device) return one operator: each must make a fresh one")
    before = second.A(x)
    direct(first.A(2 * x), first)
    if not torch.equal(second.A(x), before):
        raise Breach("the use of one operator changes what another one maps x to")


def declares_the_defaults_of_direct(opened: Opened) -> None:
    track, (_, _, physics) = opened.track, opened.batched()
    taken = list(inspect.signature(physics.direct).parameters.values())[1:] if hasattr(physics, "direct") else []
    defaults = {parameter.name: parameter.default for parameter in taken}
    if dict(track.direct_defaults) != defaults:
        raise Breach(f"direct_defaults are {dict(track.direct_defaults)}, but the operator's `direct` has {defaults}")
    if set(track.direct_space) != set(track.direct_defaults):
        searched, declared = (sorted(one) or "nothing" for one in (track.direct_space, track.direct_defaults))
        raise Breach(f"direct_space searches {searched}, but direct_defaults hold {declared}")


def direct_takes_its_hyperparameters(opened: Opened) -> None:
    x, y, physics = opened.batched("val")
    for name, values in opened.track.direct_space.items():
        tried = values.values if isinstance(values, Choice) else (values.low, values.high)
        found = [direct(y, physics, **{name: value}) for value in tried]
        for value, x_hat in zip(tried, found, strict=True):
            matches(f"direct(y, {name}={value})", x_hat, x)
            if not bool(torch.isfinite(x_hat).all()):
                raise Breach(f"direct(y, {name}={value}) has NaN or infinite values")
        if torch.equal(found[0], found[-1]):
            raise Breach(f"direct gives the same image for {name}={tried[0]} and {name}={tried[-1]}")


def scores_a_better_image_better(opened: Opened) -> None:
    image, (x, y, physics) = opened.sample("test"), opened.batched()
    x_hat = direct(y, physics)
    matches("direct(y)", x_hat, x)
    params = {name: value[None] for name, value in image.params.items()}
    nearer = image.x[None] + NEARER * (x_hat.double() - image.x[None])
    score = scorer(opened.track)
    first, second = (score(image.id, Estimate(one), image.x[None], params) for one in (x_hat, nearer))
    for metric in opened.track.metrics:
        if metric.of == "image" and not metric.record:
            gain = second[metric.name] - first[metric.name]
            if not (gain if metric.higher_is_better else -gain) > 0:
                change = f"from {first[metric.name]:.4g} to {second[metric.name]:.4g}"
                raise Breach(f"{metric.name} gets no better, {change}, where the error of direct(y) shrinks tenfold")
