"""A finished method under shifts: its hyperparameters and weights stay, the measurements change.

The method is told the physics and the noise model that made the measurements, as always, but not of a perturbation.
Images and random numbers are those of the test, so that the point that changes nothing gives the scores of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.contract.determinism import exact
from bench.contract.method import Estimate, Method
from bench.contract.task import Problem, Shift, Track
from bench.data.measurements import Measured, collate, generator, targets
from bench.errors import BenchError
from bench.evaluation.evaluate import given, physics_for, reconstruct, seeded
from bench.evaluation.pictures import plane
from bench.evaluation.scores import of_primary
from bench.stability.structure import kept_contrast, letter
from bench.stability.worst_case import STEPS, random_perturbation, worst_perturbation

PERTURBED = 4  # of the first test images
NORMS = {"0": 0.0, "0.5 %": 0.005, "1 %": 0.01, "2 %": 0.02, "5 %": 0.05}  # of a perturbation, of the norm of y
CONTRASTS = {"5 %": 0.05, "10 %": 0.1, "20 %": 0.2, "50 %": 0.5}  # of a structure, of the range of x
RANDOM, WORST, STRUCTURE = "random", "worst", "structure"  # what every track is tried with
OF_EVERY_TRACK = {
    RANDOM: f"white noise added to y, norm in parts of the norm of y; {PERTURBED} images",
    WORST: f"perturbation of y that moves x_hat most, by {STEPS} steps of gradient ascent; {PERTURBED} images",
    STRUCTURE: "kept contrast of a small letter added to x, contrast in parts of the range of x",
}

Report = Callable[[str], None]
Scores = dict[str, float]  # {image id: primary metric, or kept contrast in percent}


class Shown(NamedTuple):
    """The first test image and its reconstruction, for a picture: both (H, W), of a volume the middle slice."""

    x: np.ndarray
    x_hat: np.ndarray


Tried = tuple[Scores, Shown | None]
Point = tuple[str, str, Tried | Exception]  # shift, point, scores with a picture, or why there are none


def stress(
    method: Method,
    track: Track,
    open_track: Callable[[Track], Problem],
    seed: int,
    device: torch.device,
    report: Report,
) -> Iterator[Point]:
    """The scores of a method, made and trained for ``track``, at every point of every shift, and when y is perturbed.

    With them comes the reconstruction of the first test image. A method may fail at some points, which then hold its
    error instead.
    """
    method = method.to(device).eval()
    for shift in track.shifts:
        for name in shift.points:
            report(f"{shift.name} {name}")
            yield shift.name, name, attempt(shifted, method, track, shift, name, open_track, seed, device)
    problem = open_track(track)
    for name, norm in NORMS.items():
        for kind in (RANDOM, WORST):
            report(f"{kind} {name}")
            yield kind, name, attempt(perturbed, method, track, problem, kind, norm, seed, device)
    for name, contrast in CONTRASTS.items():
        report(f"{STRUCTURE} {name}")
        yield STRUCTURE, name, attempt(kept, method, track, problem, contrast, seed, device)


def titles(track: Track) -> dict[str, str]:
    """What each shift of a track changes."""
    return {**{shift.name: shift.title for shift in track.shifts}, **OF_EVERY_TRACK}


def attempt(work: Callable[..., Tried], *arguments: object) -> Tried | Exception:
    try:
        return work(*arguments)
    except Exception as error:  # whatever a method raises on data that it was not made for
        return error


def shifted(
    method: Method,
    track: Track,
    shift: Shift,
    point: str,
    open_track: Callable[[Track], Problem],
    seed: int,
    device: torch.device,
) -> Tried:
    """The primary metric of all test images at one point of a shift."""
    problem = open_track(shift.at(track, point))
    data = Measured(track, problem, "test")  # seeded by the track itself
    facts = []
    for index in range(len(data)):
        sample = data[index]
        (name,), x, y, params = collate([sample])
        with torch.no_grad(), seeded(seed, track.id, name):
            measured = given(method, x, y, device)
            estimate = reconstruct(method, measured, physics_for(problem, params, device), x.shape, name, track)
        facts.append((name, estimate, x, params, targets([sample])))
    return of_primary(track, facts), shown(*facts[0][1:3])


def perturbed(
    method: Method, track: Track, problem: Problem, kind: str, norm: float, seed: int, device: torch.device
) -> Tried:
    """The primary metric of the first test images when y is perturbed by a share of its norm.

    Raises `BenchError` where a worst perturbation is asked for and the method has no gradient in y.
    """
    data = Measured(track, problem, "test", PERTURBED)
    facts = []
    for index in range(len(data)):
        sample = data[index]
        (name,), x, y, params = collate([sample])
        y = given(method, x, y, device)

        def f(y: Tensor, params=params, name=name) -> Tensor:
            with exact(), seeded(seed, track.id, name):
                answer = method(y, physics_for(problem, params, device))
            return image_of(answer)

        numbers = torch.Generator().manual_seed(int(generator("perturbation", track.id, name).integers(2**31)))
        d = random_perturbation(y, norm * float(y.norm()), numbers)
        if kind == WORST and norm:
            worst = worst_perturbation(f, y, d)
            if worst is None:
                raise BenchError("no gradient in y: only the random perturbation applies")
            d = worst
        with torch.no_grad(), seeded(seed, track.id, name):
            estimate = reconstruct(method, y + d, physics_for(problem, params, device), x.shape, name, track)
        facts.append((name, estimate, x, params, targets([sample])))
    return of_primary(track, facts), shown(*facts[0][1:3])


def kept(method: Method, track: Track, problem: Problem, contrast: float, seed: int, device: torch.device) -> Tried:
    """The kept contrast in percent of a letter that is added to each test image, whose noise stays the same."""
    data = Measured(track, problem, "test")
    scores: Scores = {}
    first = None
    for index in range(len(data)):
        (name,), x, y, params = collate([data[index]])
        y = y.to(device)
        s = letter(x.shape, generator("structure", track.id, name)).to(device)
        s = s * (contrast * float(x.max() - x.min()))

        def f(given: Tensor, params=params, name=name, shape=x.shape) -> Tensor:
            with torch.no_grad(), seeded(seed, track.id, name):
                estimate = reconstruct(method, given, physics_for(problem, params, device), shape, name, track)
            return image_of(estimate)

        with_letter = f(y + physics_for(problem, params, device).A(s))
        scores[name] = kept_contrast(with_letter, f(y), s)
        first = first or Shown(plane(x + s.cpu()), plane(with_letter.cpu()))
    return scores, first


def shown(estimate: Estimate, x: Tensor) -> Shown | None:
    return None if estimate.image is None else Shown(plane(x.cpu()), plane(estimate.image.detach().cpu()))


def image_of(answer: Estimate | Tensor) -> Tensor:
    """The image of an estimate. Raises `BenchError` where it has none."""
    image = answer.image if isinstance(answer, Estimate) else answer
    if image is None:
        raise BenchError("no image is reconstructed")
    return image
