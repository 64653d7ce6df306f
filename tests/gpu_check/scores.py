"""Specs of all methods on a mini track of every task, and the comparison of two results.

Their hyperparameters or weights are fixed. Of the mini tracks of a task a method has the first that it supports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.contract import registry
from bench.contract.task import Track
from bench.engines.describe import describe_all
from bench.engines.freeze import specs_of
from bench.engines.local import LocalEngine
from bench.places import runs
from bench.runs.records import Result
from bench.runs.spec import Spec, Wish
from tests.gpu_check.plan import Plan

Pair = tuple[str, str]  # track, method

LATE = "not done in time"
IMAGES = 2  # of each test split
STEPS = 1  # of a training: any weights serve to compare two devices
# Of a score in dB. Sums in another order change the last digit of single precision, and choices of blocks or atoms
# carry it: on the CPU the last digit of y moves the PSNR of an image by up to 0.007 dB (K-SVD), 0.004 (BM3D) and 0.0006
# (WNNM), and by under 0.0001 where a method makes no such choices. A device has other last digits everywhere.
DECIBELS = 0.05
RELATIVE = 10 ** (DECIBELS / 20) - 1  # of any other score: as much as 0.05 dB are of an error, 0.58 %
GOAL = f"at most {DECIBELS} dB, or {RELATIVE:.2%} of other scores"
SHORT_TRACKS = ("mri:mini",)
SHORT_METHODS = ("direct", "unet")


def tracks(plan: Plan) -> list[Track]:
    return registry.select_tracks(SHORT_TRACKS if plan.short else ["*:mini*"])


def methods(plan: Plan) -> list[str]:
    return list(SHORT_METHODS if plan.short else registry.methods())


def specs(
    plan: Plan,
    engine: LocalEngine,
    accelerator: str,
    threads: int,
    keys: Mapping[Pair, str] | None,
    report: Callable[[str], None],
) -> dict[Pair, Spec]:
    """A spec for each pair, with default hyperparameters. A learned method trains, or has the weights of ``keys``.

    ``keys`` are those of runs. A pair that is not supported is left out, and so is a learned one that ``keys`` lacks.
    """
    chosen, names, found, has = tracks(plan), methods(plan), {}, set()
    described = dict(zip(names, describe_all([(name, {}) for name in names], chosen, engine), strict=True))
    for name, answer in described.items():
        if isinstance(answer, str):
            report(f"{name}: {answer}")
    for track in chosen:
        for name, answer in described.items():
            if isinstance(answer, str):
                continue
            description = answer[track.id]
            if description.unsupported or (track.task, name) in has:
                continue
            has.add((track.task, name))
            pair = track.id, name
            wish = Wish(
                seeds=[0],
                limit=IMAGES,
                steps=STEPS if description.learned and keys is None else None,
                control="" if description.learned else "defaults",
                checkpoint=(keys or {}).get(pair, "") if description.learned else "",
                accelerator=accelerator,  # type: ignore[arg-type]
                threads=threads,
            )
            if keys is None or wish.checkpoint or not description.learned:
                (found[pair],) = specs_of(track, description, {}, wish, explicit_cpu=False)
    return found


def result(spec: Spec) -> Result | None:
    """The result of a run that went well."""
    path = runs() / spec.key / "result.json"
    if not path.exists():
        return None
    one = Result.read(path)
    return one if one.status == "ok" else None


def reason(spec: Spec) -> str:
    """Why there is no such result."""
    path = runs() / spec.key / "result.json"
    return Result.read(path).reason if path.exists() else LATE


def differences(reference: Result, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Per metric that the method has, the largest difference over the images as a multiple of the tolerance."""
    found = {}
    for name, metric in reference.metrics.items():
        pairs = [(mine, scores[image]) for image, mine in reference.per_image.items()]
        values = [(mine[name], theirs[name]) for mine, theirs in pairs if name in mine]
        if not values:  # a score of images, say, of a method that makes none
            continue
        if metric.unit == "dB":
            found[name] = max(abs(a - b) / DECIBELS for a, b in values)
        else:
            found[name] = max(abs(a - b) / (RELATIVE * max(abs(a), 1e-12)) for a, b in values)
    return found


def worst(reference: Result, scores: Mapping[str, Mapping[str, float]], apart: Mapping[str, float]) -> str:
    """The metric that differs most, in words."""
    name = max(apart, key=lambda metric: apart[metric])
    here = sum(row[name] for row in scores.values()) / len(scores)
    unit = reference.metrics[name].unit
    return f"{name} {reference.mean(name):.4f} on the CPU, {here:.4f} {unit}".rstrip() + " here"
