"""Scores of the device against the CPU's, for the same weights and hyperparameters, image by image.

The reference is a run on the CPU (`references`), which has trained a learned method too. A few tracks of a method are
evaluated in one process, which has CUDA to start once; the slowest go first. On a machine without a GPU the short check
compares two threads with one: the same sums in another order.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.contract import registry
from bench.engines.local import LocalEngine, Task
from bench.errors import BenchError
from bench.places import runs
from bench.runs import checkpoints
from bench.runs.records import Result
from tests.gpu_check import scores
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, NOTE, OK, Row
from tests.gpu_check.scores import DECIBELS, GOAL, Pair

TOGETHER = 5  # tracks of a method in one process
SECONDS = 150.0  # for them


def rows(plan: Plan) -> Iterator[Row]:
    if plan.device == "cpu" and not plan.short:
        yield Row(NOTE, "all pairs", "there is one device here; `runs` compares two threads with one")
        return
    specs = scores.specs(plan, LocalEngine(plan.jobs), "cpu", 1, None, print)
    references = {pair: one for pair, spec in specs.items() if (one := scores.result(spec)) is not None}
    if plan.device == "cpu":
        os.environ["BENCH_THREADS"] = "2"  # of the processes of the engine
    tasks = list(work(references, plan.device))
    found: dict[Pair, Any] = {}
    try:
        for ended in LocalEngine(plan.jobs, plan.visible).work(tasks):
            found |= ended.value or dict.fromkeys(ended.task.arguments[0], ended.error)
    except OutOfTime:
        stop_clock()
        print("out of time: what is done is compared")
    yield from compare(references, found)
    late = [f"{method} on {track}" for track, method in references if (track, method) not in found]
    if late:
        yield Row(FAILED, f"{len(late)} of {len(references)} pairs", f"not done within {plan.seconds:.0f} s", "all")
        print("not done in time:", ", ".join(late))


def work(references: dict[Pair, Result], device: str) -> Iterator[Task]:
    """A part of each method first, so that little time still tells of all of them; each round the slowest first."""
    parts: list[list[dict[Pair, str]]] = []
    for method in dict.fromkeys(method for _, method in references):
        keys = {pair: one.key for pair, one in references.items() if pair[1] == method}
        slowest_first = sorted(keys, key=lambda pair: -references[pair].seconds)
        count = math.ceil(len(keys) / TOGETHER)
        parts.append([{pair: keys[pair] for pair in slowest_first[i::count]} for i in range(count)])
    for round_ in range(max(map(len, parts), default=0)):
        now = [chunks[round_] for chunks in parts if len(chunks) > round_]
        for chunk in sorted(now, key=lambda one: -sum(references[pair].seconds for pair in one)):
            name = f"{next(iter(chunk))[1]} on {len(chunk)} tracks"
            yield Task(name, evaluate_again, (chunk, device), SECONDS)


def evaluate_again(keys: dict[Pair, str], device: str, report: Callable[[str], None]) -> dict[Pair, Any]:
    """Per pair the scores of each image, by the values and weights of the run of that key, or why there are none."""
    warnings.simplefilter("ignore")
    found: dict[Pair, Any] = {}
    for pair, key in keys.items():
        try:
            found[pair] = evaluate_one(pair, key, device)
        except Exception as error:
            found[pair] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return found


def evaluate_one(pair: Pair, key: str, device: str) -> dict[str, dict[str, float]]:
    from bench.evaluation.evaluate import evaluate

    reference = Result.read(runs() / key / "result.json")
    track = registry.track(pair[0])
    problem = registry.load_task(track.task).open(track)
    method = checkpoints.remade(registry.load_method(pair[1]), track, key, reference.hyperparameters)
    if reference.learned:
        checkpoints.restore(method, track, key)
    evaluation, _ = evaluate(method, track, problem, accelerator=device, limit=scores.IMAGES, seed=reference.seed)
    if evaluation.image_hashes != reference.image_hashes:
        raise BenchError("the test measurements have other bits")
    return evaluation.per_image


def compare(references: dict[Pair, Result], found: dict[Pair, Any]) -> Iterator[Row]:
    """A row for each method, and one for each pair that does not agree."""
    by_method: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for (track, method), outcome in found.items():
        if isinstance(outcome, str):
            yield Row(FAILED, f"{method} on {track}", outcome)
            continue
        reference = references[track, method]
        apart = scores.differences(reference, outcome)
        by_method.setdefault(method, []).append((track, apart))
        if not max(apart.values()) <= 1:  # nor NaN
            yield Row(FAILED, f"{method} on {track}", scores.worst(reference, outcome, apart), GOAL)
    for method, tracks in by_method.items():
        yield method_row(method, tracks)


def method_row(method: str, tracks: Sequence[tuple[str, dict[str, float]]]) -> Row:
    track, apart = max(tracks, key=lambda one: max(one[1].values()))
    most = max(apart.values())
    found = f"{len(tracks)} tracks, at most {most * DECIBELS:.4f} dB or as much ({track})"
    return Row(OK if most <= 1 else FAILED, method, found, details={"share_of_tolerance": dict(tracks)})
