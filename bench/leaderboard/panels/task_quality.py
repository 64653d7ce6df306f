"""The ranking of a board's methods by their images beside their ranking by what a frozen observer finds in them.

Both rank the same reconstructions, by the rules of `bench.leaderboard.ranking`. Two methods trade places where each
ranking tells them apart, in opposite order. Each ranking calls two equal methods different in at most 5 % of boards;
so a trade that is named is no noise in either of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.leaderboard.entries import Entry
from bench.leaderboard.ranking import Place, pairwise_order, ranking
from bench.leaderboard.statistics import PerSeed
from bench.runs.records import Observed
from bench.sealed import MetricInfo

MOVES = 3


@dataclass(frozen=True)
class Line:
    """One method: the means of both scores, and its places by them."""

    name: str
    image: float
    by_image: Place
    task: float
    by_task: Place


@dataclass(frozen=True)
class Trade:
    """A method that is better than others by the image, and worse by the task."""

    name: str
    others: list[str]


@dataclass(frozen=True)
class Panel:
    """The methods that one observer has judged, in the order of their images."""

    on: str  # the track whose images they are
    images: int
    image: str  # the metric of the image
    task: str  # the metric of the finding
    metrics: dict[str, MetricInfo]
    truth: float  # the score of the finding in the true images
    lines: list[Line]
    trades: list[Trade]
    moves: list[str]  # the methods whose places by the means are farthest apart, with both places
    left_out: list[str]  # judged by another observer
    missing: list[str]  # ranked, and judged by none


def panel(entries: Sequence[Entry]) -> Panel | None:
    """The panel of the ranked entries of one track; None where no observer has judged them."""
    judged = {entry.name: entry.observed for entry in entries if entry.observed}
    if not judged:
        return None
    lead = max((one for seeds in judged.values() for one in seeds.values()), key=lambda one: one.date)
    kept = {
        name: seeds for name, seeds in judged.items() if all(one.observer == lead.observer for one in seeds.values())
    }
    image = next(name for name, metric in lead.metrics.items() if metric.of == "image")
    scores = {
        metric: {name: of_metric(seeds, metric) for name, seeds in kept.items()} for metric in (image, lead.primary)
    }
    images, tasks = scores[image], scores[lead.primary]
    places = {
        name: ranking(found, lead.groups, lead.metrics[name].higher_is_better).places for name, found in scores.items()
    }
    lines = [
        Line(name, average(images[name]), place, average(tasks[name]), places[lead.primary][name])
        for name, place in places[image].items()
    ]
    return Panel(
        on=lead.on,
        images=len(lead.per_image),
        image=image,
        task=lead.primary,
        metrics=lead.metrics,
        truth=lead.truth[lead.primary],
        lines=lines,
        trades=trades(images, tasks, lead.groups, [lead.metrics[name].higher_is_better for name in scores]),
        moves=moves(lines, lead.metrics[lead.primary].higher_is_better),
        left_out=[name for name in judged if name not in kept],
        missing=[entry.name for entry in entries if not entry.observed],
    )


def moves(lines: Sequence[Line], higher_is_better: bool) -> list[str]:
    """The `MOVES` methods that change most places between the orders of the means, which may be chance."""
    by_task = sorted(lines, key=lambda line: line.task, reverse=higher_is_better)
    places = [(line.name, 1 + i, 1 + by_task.index(line)) for i, line in enumerate(lines)]
    farthest = sorted(places, key=lambda one: -abs(one[2] - one[1]))[:MOVES]
    return [f"{name} from place {first} to {second}" for name, first, second in farthest if first != second]


def of_metric(observed: dict[str, Observed], metric: str) -> PerSeed:
    """``{seed: {image: value}}`` of one metric."""
    return {
        int(seed): {image: scores[metric] for image, scores in one.per_image.items()} for seed, one in observed.items()
    }


def average(scores: PerSeed) -> float:
    means = [sum(images.values()) / len(images) for images in scores.values()]
    return sum(means) / len(means)


def trades(
    first: dict[str, PerSeed], second: dict[str, PerSeed], groups: dict[str, str], higher_is_better: Sequence[bool]
) -> list[Trade]:
    """The methods that are better than others by the first scores, and worse by the second, in their order."""
    names = list(first)
    ways = [
        pairwise_order(one, names, groups, higher)
        for one, higher in zip((first, second), higher_is_better, strict=True)
    ]
    found = []
    for i, name in enumerate(names):
        others = [other for j, other in enumerate(names) if ways[0][i, j] > 0 and ways[1][i, j] < 0]
        if others:
            found.append(Trade(name, others))
    return found
