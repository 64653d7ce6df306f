"""The panel of a board: scores under shifts, beside the ranking and never in it.

A poor method can be perfectly stable, so every line opens with the score on the track itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contract import registry
from bench.contract.task import Shift
from bench.data.weights import is_hash
from bench.errors import BenchError
from bench.leaderboard.entries import ROUNDING, Entry, mean, of_metric
from bench.leaderboard.ranking import pairwise_order
from bench.leaderboard.statistics import FEWEST_SEEDS, PerSeed, mean_interval

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


@dataclass(frozen=True)
class Stressed:
    """A method under one shift: ``{point: {seed: {image: score}}}``, and the reasons of points without scores."""

    entry: Entry
    scores: Mapping[str, PerSeed]
    reasons: list[str]

    @property
    def groups(self) -> dict[str, str]:
        """``{image: group}``; an image that the track has not is a group of its own."""
        images = [image for seeds in self.scores.values() for point in seeds.values() for image in point]
        return {image: image for image in images} | self.entry.groups

    @property
    def tells(self) -> bool:
        """Whether claims may rest on it: on as many trainings as a rank asks for."""
        seeds = min(len(self.entry.seeds), *(len(point) for point in self.scores.values() if point), FEWEST_SEEDS)
        return not self.entry.learned or is_hash(self.entry.checkpoint) or seeds == FEWEST_SEEDS


def panels(entries: Sequence[Entry]) -> list[Panel]:
    """The panels of the entries of one track, in their order; none where nothing was scored under a shift.

    A panel has the points of the newest scores; older ones of other points are left out.
    """
    whole = [entry for entry in entries if entry.stress and entry.status == "ok" and entry.limit is None]
    if not whole:
        return []
    lead = whole[0]
    declared = shifts_of(lead.board)
    newest = max((one for entry in whole for one in (entry.stress or {}).values()), key=lambda one: one.date)
    better = lead.metrics[lead.primary].higher_is_better
    found = []
    for shift, points in newest.shifts.items():
        names = [point.at for point in points]
        under = [one for entry in whole if (one := _under(entry, shift, names)) is not None]
        known, kept = declared.get(shift), shift == KEPT
        lines = [_line(one, names, known is None or known.ordered) for one in under]
        unit = "%" if kept else lead.metrics[lead.primary].unit
        fallen = [] if kept else _fallen([one for one in under if one.tells], names, better)
        hurt = _hurt([one for one in under if one.tells], known, better) if known is not None and known.more else None
        found.append(Panel(shift, newest.titles.get(shift, shift), unit, names, lines, fallen, hurt))
    return found


def _under(entry: Entry, shift: str, names: Sequence[str]) -> Stressed | None:
    """The scores under a shift of those seeds that were scored at just these points; None without such a seed."""
    by_seed = {int(seed): one.shifts.get(shift, []) for seed, one in (entry.stress or {}).items()}
    by_seed = {seed: points for seed, points in by_seed.items() if [point.at for point in points] == list(names)}
    if not by_seed:
        return None
    scores: dict[str, dict[int, dict[str, float]]] = {}
    reasons: dict[str, None] = {}
    for i, name in enumerate(names):
        at = {seed: points[i] for seed, points in by_seed.items()}
        scores[name] = {seed: point.per_image for seed, point in at.items() if point.per_image}
        if not scores[name]:
            reasons |= {point.reason: None for point in at.values() if point.reason}
    return Stressed(entry, scores, list(reasons))


def shifts_of(name: str) -> dict[str, Shift]:
    """The shifts that a track declares now; none where it is not here."""
    try:
        return {shift.name: shift for shift in registry.track(name).shifts}
    except BenchError:
        return {}


def _line(one: Stressed, names: Sequence[str], ordered: bool) -> Line:
    seeds = [one.scores[name].values() for name in names]
    means = [mean(mean(images.values()) for images in point) if point else None for point in seeds]
    return Line(one.entry.name, one.entry.scores[one.entry.primary], one.entry.learned, means, one.reasons, ordered)


def _fallen(stressed: Sequence[Stressed], points: Sequence[str], higher_is_better: bool) -> list[str]:
    """Trained methods below untrained ones that they beat on the track, at the first point where there are such.

    Both are claimed only where the rules of `bench.leaderboard.ranking` tell the two methods apart.
    """
    groups = {image: group for one in stressed for image, group in one.groups.items()}
    on_track = {one.entry.name: of_metric(one.entry, one.entry.primary) for one in stressed}
    beaten = better_pairs(on_track, groups, higher_is_better)
    trained = {one.entry.name for one in stressed if one.entry.learned}
    found: dict[str, str] = {}
    for point in points:
        here = {one.entry.name: one.scores[point] for one in stressed if one.scores[point]}
        below = {(b, a) for a, b in better_pairs(here, groups, higher_is_better)}
        for name in here:
            above = [other for other in here if other not in trained and (name, other) in beaten & below]
            if name in trained and above:
                found.setdefault(name, f"{name} at {point} (below {', '.join(above)})")
    return [found[one.entry.name] for one in stressed if one.entry.name in found]


def _hurt(stressed: Sequence[Stressed], shift: Shift, higher_is_better: bool) -> list[str]:
    """The methods that score less where there are more samples than on the track, told apart, at the first such point.

    Each method is compared with itself, training by training and image by image.
    """
    found = []
    for one in stressed:
        own = one.scores.get(shift.own, {})
        for at in shift.more:
            more = one.scores.get(at, {})
            worse = {
                seed: {image: own[seed][image] - more[seed][image] for image in own[seed].keys() & more[seed].keys()}
                for seed in own.keys() & more.keys()
            }
            lost = mean_interval(worse, one.groups) if worse else None
            equal = ROUNDING * abs(one.entry.scores[one.entry.primary])
            if lost is not None and (lost.low > equal if higher_is_better else lost.high < -equal):
                found.append(f"{one.entry.name} at {at}")
                break
    return found


def better_pairs(
    scores: Mapping[str, PerSeed], groups: Mapping[str, str], higher_is_better: bool
) -> set[tuple[str, str]]:
    """The pairs of methods of which the first is told apart from the second, and better."""
    if len(scores) < 2:
        return set()
    names = list(scores)
    order = pairwise_order(scores, names, groups, higher_is_better)
    return {(a, b) for i, a in enumerate(names) for j, b in enumerate(names) if order[i, j] > 0}
