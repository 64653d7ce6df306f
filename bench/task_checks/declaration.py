"""What a track promises before it is opened: names, plain data, a budget, metrics, and a hash of what moves a score."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace

from bench.contract import registry
from bench.contract.task import Task
from bench.contract.toy_trial import Breach
from bench.data.manifest import manifests
from bench.runs import key
from bench.task_checks.opened import Opened


def has_its_names(name: str, task: Task) -> None:
    """``name`` is the one by which the registry finds the task."""
    if task.name != name:
        raise Breach(f"the task that is found as {name!r} calls itself {task.name!r}: the two names must be one")
    if not task.tracks:
        raise Breach("it declares no track")
    for track in task.tracks:
        if track.task != name:
            raise Breach(f"its track {track.name!r} says that it is of the task {track.task!r}")
    for own, times in Counter(track.name for track in task.tracks).items():
        if times > 1:
            raise Breach(f"{times} of its tracks are called {own!r}")


def is_plain_data(opened: Opened) -> None:
    track = opened.track
    try:
        json.dumps(asdict(track))
    except (TypeError, ValueError) as error:
        raise Breach(f"its fields must be plain data, which JSON can hold: {error}") from error
    if track.version < 1:
        raise Breach(f"its version is {track.version}: the first version is 1")
    for name in track.data:
        if name not in manifests():
            raise Breach(f"its data set {name!r} has no manifest in tasks/datasets/manifests")


def has_a_budget(opened: Opened) -> None:
    budget = opened.track.budget
    for name in ("trials", "images", "steps", "batch"):
        if getattr(budget, name) < 1:
            raise Breach(f"its budget has {name}={getattr(budget, name)}, expected 1 or more")
    if budget.seconds <= 0:
        raise Breach(f"its budget has seconds={budget.seconds}, expected more than 0")


def has_metrics(opened: Opened) -> None:
    metrics = opened.track.metrics
    for name, times in Counter(metric.name for metric in metrics).items():
        if times > 1:
            raise Breach(f"{times} of its metrics are called {name!r}")
        if name != name.lower():
            raise Breach(f"the name of the metric {name!r} must be in small letters")
    for metric in metrics:
        for reference in filter(None, (metric.function, metric.record)):
            try:
                found = registry.resolve(reference)
            except (ImportError, AttributeError, ValueError) as error:
                raise Breach(f"{reference!r} of the metric {metric.name!r} cannot be imported: {error}") from error
            if not callable(found):
                raise Breach(f"{reference!r} of the metric {metric.name!r} is no function")
    of_a_finding = any(metric.of == "finding" for metric in metrics)
    if of_a_finding != (opened.track.classes > 0):
        has = "a metric" if of_a_finding else "no metric"
        raise Breach(f"it has classes={opened.track.classes}, but {has} of the finding")
    if not any(metric.of == "image" for metric in metrics):
        raise Breach("it has no metric of the image, by which an inner method is tuned")


def has_a_hash_of_its_fields(opened: Opened) -> None:
    track = opened.track
    metric = replace(track.primary, options={**track.primary.options, "invented": 1})
    changed = {
        "version": replace(track, version=track.version + 1),
        "options": replace(track, options={**track.options, "invented": 1}),
        "metrics": replace(track, metrics=(metric, *track.metrics[1:])),
    }
    hashes = {key.scored(track, learned=True)}
    for name, other in changed.items():
        found = key.scored(other, learned=True)
        if found in hashes:
            raise Breach(f"its hash does not follow a change of {name}, so that old rows would pass for new ones")
        hashes.add(found)
