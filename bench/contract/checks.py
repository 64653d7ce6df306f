"""The contract of a method as tests that any method can be put to: ``bench check METHOD``."""

from __future__ import annotations

import inspect
import math
import re
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch

from bench.contract.construct import FROM_TRACK, open_ended, parameters, unsupported
from bench.contract.devices import DEVICE_TOLERANCE, agrees_with_the_processor, distance
from bench.contract.method import Method
from bench.contract.space import contains
from bench.contract.toy_operators import toys
from bench.contract.toy_trial import Breach, Tried, make, run, step
from bench.errors import BenchError

BATCH_TOLERANCE = 1e-4  # of an image's largest value: single precision sums in another order
NOT_TRIED = "not tried"  # an operator, for lack of time
TURNS = 8  # training steps in which every part of a method learns: one may train its parts in turn
NONDETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


class Outcome(NamedTuple):
    check: str
    passed: bool
    message: str


def check(method: type[Method], device: torch.device | str = "cpu", seconds: float = math.inf) -> list[Outcome]:
    """Every check of the class, then every check on every toy operator that the method supports, on a device.

    After ``seconds`` no further operator is begun; the first one always is.
    """
    device, end = torch.device(device), time.monotonic() + seconds
    outcomes = [attempt(name, partial(test, method)) for name, test in CLASS_CHECKS.items()]
    tried = None
    for toy in toys():
        try:
            reason = unsupported(method, toy.track)
        except BenchError as error:
            outcomes.append(Outcome(f"{toy.track.name}: unsupported", False, str(error)))
            continue
        if reason:
            outcomes.append(Outcome(f"{toy.track.name}: unsupported", True, reason))
            continue
        if tried and time.monotonic() > end:
            outcomes.append(Outcome(f"{toy.track.name}: {NOT_TRIED}", True, f"{seconds:.0f} s were over"))
            continue
        checks = (IMAGE_CHECKS if "image" in method.returns else {}) | TOY_CHECKS
        checks |= FINDING_CHECKS if "finding" in method.returns else {}
        checks |= DEVIATION_CHECKS if "std" in method.returns else {}
        checks |= LEARNED_CHECKS if method.learned else {}
        checks |= DEVICE_CHECKS if device.type != "cpu" else {}
        tried = Tried(method, toy.on(device))
        outcomes += [attempt(f"{toy.track.name}: {name}", partial(test, tried)) for name, test in checks.items()]
    if all(outcome.check.endswith(": unsupported") for outcome in outcomes[len(CLASS_CHECKS) :]):
        outcomes.append(Outcome("supports an operator", False, "none of the toy operators is supported"))
    return outcomes


def attempt(name: str, test: Callable[[], str | None]) -> Outcome:
    """The outcome of a check, which returns a remark or nothing and raises where a method, or a task, fails it."""
    try:
        return Outcome(name, True, test() or "")
    except Breach as breach:
        return Outcome(name, False, str(breach))
    except Exception as error:
        return Outcome(name, False, f"raised {type(error).__name__}: {error}".partition("\n")[0])


def opens_with_an_equation(method: type[Method]) -> None:
    first = (sys.modules[method.__module__].__doc__ or "").partition("\n")[0]
    if not any(sign in first for sign in ("=", "←", "min")):
        raise Breach(f"the module's docstring must open with the equation it solves, not with {first!r}")


def has_defaults(method: type[Method]) -> None:
    for name, parameter in inspect.signature(method).parameters.items():
        variadic = parameter.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        if parameter.default is inspect.Parameter.empty and not variadic and name not in FROM_TRACK:
            raise Breach(f"the constructor's {name!r} has no default")


def has_a_sound_search_space(method: type[Method]) -> None:
    if method.learned and any(method.space(toy.track) for toy in toys()):
        raise Breach("a method that learns has one declared recipe: it can have no search space")
    for toy in toys():
        space, start = method.space(toy.track), method.defaults(toy.track)
        for name in {*space, *start}:
            if name not in parameters(method) and not open_ended(method):
                raise Breach(f"{name!r} is searched, but it is no argument of the constructor")
            if name not in space:
                raise Breach(f"{name!r} has a default to search from, but no range")
            if name in start and not contains(space[name], start[name]):
                raise Breach(f"the default {name}={start[name]} lies outside of its range {space[name]}")


def makes_an_image(tried: Tried) -> None:
    image = tried.estimate.image
    assert image is not None
    expected = tried.physics.A_adjoint(tried.toy.y)
    if image.shape != expected.shape:
        raise Breach(f"expected the shape of A_adjoint(y), {tuple(expected.shape)}, got {tuple(image.shape)}")
    is_finite(image, tried.toy.y)


def makes_a_finding(tried: Tried) -> None:
    finding, expected = tried.estimate.finding, tried.toy.target["map"]
    assert finding is not None
    if finding.shape != expected.shape:
        raise Breach(f"expected a finding (B, classes, ...), {tuple(expected.shape)}, got {tuple(finding.shape)}")
    is_finite(finding, tried.toy.y)
    if not 0 <= float(finding.min()) <= float(finding.max()) <= 1:
        raise Breach("a finding is a probability, in [0, 1]")


def makes_a_deviation(tried: Tried) -> None:
    std, expected = tried.estimate.std, tried.physics.A_adjoint(tried.toy.y).shape
    assert std is not None
    if std.shape != expected:
        raise Breach(
            f"expected a standard deviation of the shape of the image, {tuple(expected)}, got {tuple(std.shape)}"
        )
    is_finite(std, tried.toy.y)
    if float(std.min()) < 0:
        raise Breach("a standard deviation is never negative")


def is_finite(part: torch.Tensor, y: torch.Tensor) -> None:
    if part.dtype != y.dtype or part.device != y.device:
        raise Breach(f"expected {y.dtype} on {y.device}, got {part.dtype} on {part.device}")
    if not bool(torch.isfinite(part).all()):
        raise Breach("NaN or infinite values")


def leaves_its_input_alone(tried: Tried) -> None:
    _ = tried.image
    if not torch.equal(tried.y, tried.toy.y):
        raise Breach("y was changed in place")
    for name, buffer in tried.physics.named_buffers():
        if name not in tried.buffers or not torch.equal(buffer, tried.buffers[name]):
            raise Breach(f"the physics' {name!r} was changed")


def repeats_itself(tried: Tried) -> str | None:
    """Equal bits from equal seeds: a method may draw random numbers from generators that the referee seeds.

    Images that are the same bits alone and in a batch have been made twice already. On a GPU some operations have no
    deterministic implementation: then the images agree within `DEVICE_TOLERANCE`.
    """
    first, toy = tried.image, tried.toy
    if torch.equal(first, tried.alone):
        return None
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        second = run(tried.instance, toy.y, toy.physics(toy.params))
    if torch.equal(first, second):
        return None
    found = (NONDETERMINISTIC.match(str(warning.message)) for warning in raised)
    operations = sorted({match.group(1) for match in found if match})
    if tried.device.type != "cpu" and operations and distance(second, first) <= DEVICE_TOLERANCE:
        return f"differs by {distance(second, first):.1e}: {', '.join(operations)} cannot be deterministic there"
    difference = float((first - second).abs().max())
    raise Breach(
        f"a second call with the same seed differs by {difference:.1e}: draw random numbers from the global "
        "generators of torch, NumPy or Python, which are seeded before each image"
    )


def treats_a_batch_as_its_images(tried: Tried) -> None:
    alone = tried.alone
    if not bool(torch.isfinite(alone).all()):
        raise Breach("a batch differs from its images one by one, which hold NaN or infinite values")
    difference = float((tried.image - alone).abs().max() / alone.abs().max())
    agrees = difference <= BATCH_TOLERANCE  # not so of NaN
    if not agrees and not tried.draws:  # the images of a batch and single images draw other numbers
        raise Breach(f"a batch differs from its images one by one by {difference:.1e}, more than {BATCH_TOLERANCE}")


def learns_from_a_step(tried: Tried) -> None:
    instance = make(tried.method, tried.toy)
    before = {name: value.clone() for name, value in instance.state_dict().items()}
    held = step(instance, tried.toy)
    learning = [parameter for parameter in instance.parameters() if parameter.requires_grad]
    for turn in range(1, TURNS):
        if instance.automatic_optimization and any(parameter.grad is None for parameter in learning):
            step(instance, tried.toy, turn)
    after = instance.state_dict()
    if not instance.automatic_optimization and all(torch.equal(after[name], value) for name, value in before.items()):
        raise Breach("a training step, which optimises by itself, leaves its state_dict as it was")
    for name, parameter in instance.named_parameters():
        if not parameter.requires_grad:
            continue
        if not instance.automatic_optimization:
            if not any(parameter is one for one in held):
                raise Breach(f"no optimiser of configure_optimizers() holds {name!r}")
            if not bool(torch.isfinite(parameter).all()):
                raise Breach(f"after a training step {name!r} is not finite")
        elif parameter.grad is None or not bool(torch.isfinite(parameter.grad).all()):
            raise Breach(f"{TURNS} training steps give {name!r} no finite gradient")


def survives_a_checkpoint(tried: Tried) -> None:
    toy = tried.toy
    trained, restored = make(tried.method, toy), make(tried.method, toy)
    step(trained, toy)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.01)
    restored.load_state_dict(trained.state_dict())
    if not torch.equal(*(run(instance, toy.y, toy.physics(toy.params)) for instance in (trained, restored))):
        raise Breach("its state_dict doesn't restore it")


CLASS_CHECKS: dict[str, Callable[[type[Method]], None]] = {
    "docstring opens with an equation": opens_with_an_equation,
    "hyperparameters have defaults": has_defaults,
    "search space": has_a_sound_search_space,
}
IMAGE_CHECKS: dict[str, Callable[[Tried], str | None]] = {
    "shape, dtype, device, finite": makes_an_image,
}
TOY_CHECKS: dict[str, Callable[[Tried], str | None]] = {
    "y and physics unchanged": leaves_its_input_alone,
    "deterministic": repeats_itself,
    "batch equals images": treats_a_batch_as_its_images,
}
FINDING_CHECKS: dict[str, Callable[[Tried], str | None]] = {
    "finding: shape, dtype, device, a probability": makes_a_finding,
}
DEVIATION_CHECKS: dict[str, Callable[[Tried], str | None]] = {
    "standard deviation: shape, dtype, device, never negative": makes_a_deviation,
}
LEARNED_CHECKS: dict[str, Callable[[Tried], str | None]] = {
    "learns from a step": learns_from_a_step,
    "state_dict round trip": survives_a_checkpoint,
}
DEVICE_CHECKS: dict[str, Callable[[Tried], str | None]] = {  # of a device that is not the CPU
    "agrees with the CPU": agrees_with_the_processor,
}
