"""The panel of a board: scores under shifts, beside the ranking and never in it.

A poor method can be perfectly stable, so every line opens with the score on the track itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contract import registry
from bench.contract.task import Shift
from bench.errors import BenchError
from bench.leaderboard.entries import Entry, of_metric
from bench.leaderboard.ranking import pairwise_order
from bench.leaderboard.statistics import PerSeed
from bench.runs.records import Stress, StressPoint

KEPT = "structure"  # the shift that is scored by kept contrast


@dataclass(frozen=True)
class Line:
    """One method under one shift: a mean score or None at each point, and why scores are missing."""

    name: str
    own: float  # the score of the track itself
    trained: bool
    scores: list[float | None]
    reasons: list[str]
    ordered: bool = True

    @property
    def area(self) -> float | None:
        """Area under the curve of scores, the points evenly spaced over an axis of length one; None without a curve."""
        if not self.ordered or len(self.scores) < 2 or any(score is None for score in self.scores):
            return None
        known = [score for score in self.scores if score is not None]
        return (sum(known) - (known[0] + known[-1]) / 2) / (len(known) - 1)


@dataclass(frozen=True)
class Panel:
    """One shift of a track: its points, and the methods that were scored under it."""

    shift: str
    title: str
    unit: str
    points: list[str]
    lines: list[Line]
    fallen: list[str]  # trained methods below untrained ones that they beat on the track, with the first such point
    hurt: list[str] | None  # methods that more samples make worse, with the first such point; None where none has more


def merged(found: Sequence[Stress]) -> Stress | None:
    """The scores of several seeds as one: the mean of each image over the seeds that have a score of it."""
    if not found:
        return None
    shifts = {}
    for shift, points in found[0].shifts.items():
        shifts[shift] = [
            _mean([points_of[i] for one in found if len(points_of := one.shifts.get(shift, [])) > i])
            for i in range(len(points))
        ]
    return found[-1].model_copy(update={"shifts": shifts})


def _mean(seeds: Sequence[StressPoint]) -> StressPoint:
    scored = [one.per_image for one in seeds if one.per_image]
    images = scored[0] if scored else {}
    means = {image: math.fsum(one[image] for one in scored) / len(scored) for image in images}
    return seeds[0].model_copy(update={"per_image": means, "reason": "" if means else seeds[0].reason})


def panels(entries: Sequence[Entry]) -> list[Panel]:
    """The panels of the entries of one track, in their order; none where nothing was scored under a shift."""
    stressed = [(entry, entry.stress) for entry in entries if entry.stress is not None and entry.status == "ok"]
    if not stressed:
        return []
    lead, first = stressed[0]
    declared = shifts_of(lead.board)
    found = []
    for shift, points in first.shifts.items():
        names = [point.at for point in points]
        under = [
            (entry, stress.shifts[shift])
            for entry, stress in stressed
            if [point.at for point in stress.shifts.get(shift, [])] == names
        ]
        known = declared.get(shift)
        lines = [_line(entry, points, known is None or known.ordered) for entry, points in under]
        kept = shift == KEPT
        better = lead.metrics[lead.primary].higher_is_better
        fallen = [] if kept else _fallen(under, better)
        unit = "%" if kept else lead.metrics[lead.primary].unit
        hurt = _hurt(under, known.own, known.more, better) if known is not None and known.more else None
        found.append(Panel(shift, first.titles.get(shift, shift), unit, names, lines, fallen, hurt))
    return found


def shifts_of(name: str) -> dict[str, Shift]:
    """The shifts that a track declares now; none where it is not here."""
    try:
        return {shift.name: shift for shift in registry.track(name).shifts}
    except BenchError:
        return {}


def _line(entry: Entry, points: Sequence[StressPoint], ordered: bool) -> Line:
    means = [
        math.fsum(point.per_image.values()) / len(point.per_image) if point.per_image else None for point in points
    ]
    reasons = list(dict.fromkeys(point.reason for point in points if point.reason))
    return Line(entry.name, entry.scores[entry.primary], entry.learned, means, reasons, ordered)


def _fallen(stressed: Sequence[tuple[Entry, Sequence[StressPoint]]], higher_is_better: bool) -> list[str]:
    """Trained methods below untrained ones that they beat on the track, at the first point where there are such.

    Both are claimed only where the rules of `bench.leaderboard.ranking` tell the two methods apart.
    """
    groups = {image: image for _, points in stressed for point in points for image in point.per_image}
    groups |= {image: group for entry, _ in stressed for image, group in entry.groups.items()}
    names = [entry.name for entry, _ in stressed]
    on_track = {entry.name: of_metric(entry, entry.primary) for entry, _ in stressed}
    beaten = better_pairs(on_track, names, groups, higher_is_better)
    found = []
    for entry, points in stressed:
        for index, point in enumerate(points if entry.learned else ()):
            here = {one.name: {0: other[index].per_image} for one, other in stressed if other[index].per_image}
            below = {(b, a) for a, b in better_pairs(here, list(here), groups, higher_is_better)}
            above = [
                other.name for other, _ in stressed if not other.learned and (entry.name, other.name) in beaten & below
            ]
            if above:
                found.append(f"{entry.name} at {point.at} (below {', '.join(above)})")
                break
    return found


def _hurt(
    stressed: Sequence[tuple[Entry, Sequence[StressPoint]]], own: str, more: Sequence[str], higher_is_better: bool
) -> list[str]:
    """The methods that score less where there are more samples than on the track, told apart, at the first such point.

    Each method is compared with itself, image by image.
    """
    found = []
    for entry, points in stressed:
        scores = {point.at: {0: point.per_image} for point in points if point.per_image}
        for at in more:
            both = {name: scores[name] for name in (own, at) if name in scores}
            if (own, at) in better_pairs(both, list(both), entry.groups, higher_is_better):
                found.append(f"{entry.name} at {at}")
                break
    return found


def better_pairs(
    scores: Mapping[str, PerSeed], names: Sequence[str], groups: Mapping[str, str], higher_is_better: bool
) -> set[tuple[str, str]]:
    """The pairs of methods of which the first is told apart from the second, and better."""
    if len(names) < 2:
        return set()
    order = pairwise_order(scores, names, groups, higher_is_better)
    return {(a, b) for i, a in enumerate(names) for j, b in enumerate(names) if order[i, j] > 0}
