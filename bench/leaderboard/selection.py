"""Results -> entries: which runs of a method are published, and the entry they make.

The results of one method under one label on one track fall into groups that differ by seed alone. `precedence` says
which group becomes the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from pydantic import ValidationError

from bench.data.weights import is_hash
from bench.leaderboard import stability
from bench.leaderboard.entries import Entry, Published, means_of
from bench.leaderboard.staleness import Now, staleness
from bench.leaderboard.statistics import FEWEST_SEEDS
from bench.runs.privacy import private, without_folders
from bench.runs.records import Result, Stress, Timing, first_fault

Precedence = tuple[int, bool, bool, bool, str]


def entries(
    results: Iterable[Result],
    now: Now,
    timings: Mapping[str, Timing] | None = None,  # {key: costs}
    published: Mapping[tuple[str, str], Published] | None = None,  # {(task:track, row): figure}
    stresses: Mapping[str, Stress] | None = None,  # {key: scores under shifts}
) -> tuple[list[Entry], list[str]]:
    """One entry for every method and label on every track, in the order of names, and a line for each that fails."""
    newest = {result.key: result for result in sorted(results, key=attrgetter("date"))}
    methods = _split(newest.values(), lambda result: (result.task, result.track, result.method, _label(result)))
    found, problems = [], []
    for name in sorted(methods):
        group = max(_split(methods[name], attrgetter("group")).values(), key=lambda group: precedence(group, now))
        try:
            found.append(_entry(group, timings or {}, published or {}, stresses or {}))
        except ValidationError as error:
            task, track, method, label = name
            shown = f"{method}@{label}" if label else method
            problems.append(f"the runs of {shown} on {task}:{track} make no valid entry: {first_fault(error)}.")
    return found, problems


def precedence(group: Iterable[Result] | Entry, now: Now) -> Precedence:
    """The order in which groups of results, or entries, are preferred; the largest is published.

    In this order, and never by a score: the newest version of the track; current code; committed code; all seeds ended
    well that were asked for, and no fewer than three of a method that is trained; the later date. So a new result of
    one seed goes before an old one of three whose code has changed, and a new `ok` before an old `unsupported`.
    """
    if isinstance(group, Entry):
        complete = group.status != "failed" and not group.failures and set(group.asked) <= set(group.seeds)
        enough = not _trains(group) or len(group.seeds) >= FEWEST_SEEDS
        return group.task_version, not staleness(group, now), not group.dirty, complete and enough, group.date
    members = list(group)
    enough = not _trains(members[0]) or len([r for r in members if r.status == "ok"]) >= FEWEST_SEEDS
    return (
        members[0].task_version,
        not any(staleness(result, now) for result in members),
        not any(result.dirty for result in members),
        not _lacking(members) and enough,
        max(result.date for result in members),
    )


def merged(new: Entry, old: Entry) -> Entry:
    """A new entry with what the old one knows of the same runs: costs, and that it was verified."""
    if new.keys != old.keys or new.per_seed != old.per_seed or new.code != old.code:
        return new
    timing, stress = new.timing or old.timing, new.stress or old.stress
    return new.model_copy(update={"timing": timing, "stress": stress, "verified": old.verified, "renewed": old.renewed})


def _trains(record: Result | Entry) -> bool:
    """Whether seeds stand for trainings; an unsupported pair needs none."""
    return record.learned and record.status == "ok" and not is_hash(record.checkpoint)


def _label(result: Result) -> str:
    """The label; only a protocol run goes without."""
    return result.label or ("" if result.protocol else "custom")


def _split(results: Iterable[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    parts: dict[Any, list[Result]] = {}
    for result in results:
        parts.setdefault(key(result), []).append(result)
    return parts


def _asked(group: list[Result]) -> list[int]:
    return sorted({seed for result in group for seed in result.seeds} | {result.seed for result in group})


def _lacking(group: list[Result]) -> list[int]:
    """The seeds asked for that have not ended well."""
    return sorted(set(_asked(group)) - {result.seed for result in group if result.status != "failed"})


def _entry(
    group: list[Result],
    timings: Mapping[str, Timing],
    published: Mapping[tuple[str, str], Published],
    stresses: Mapping[str, Stress],
) -> Entry:
    group = sorted(group, key=attrgetter("seed"))
    good = [result for result in group if result.status == "ok"]
    shown = good or [result for result in group if result.status == "unsupported"] or group
    last = max(shown, key=attrgetter("date"))
    per_seed = {str(result.seed): result.per_image for result in good}
    label = _label(last)
    row = f"{last.method}@{label}" if label else last.method
    figure = published.get((f"{last.task}:{last.track}", row))
    if figure is not None and figure.metric not in last.metrics:
        figure = None
    values: dict[str, Any] = {
        "label": label,
        "reason": without_folders(last.reason),
        "scores": means_of(per_seed),
        "per_seed": per_seed,
        "asked": _asked(group),
        "seeds": [result.seed for result in shown],
        "failures": {
            str(result.seed): without_folders(result.reason)
            for result in group
            if result.status == "failed" and result not in shown
        },
        "requested": private(last.requested),
        "hyperparameters": {str(result.seed): private(result.hyperparameters) for result in shown},
        "at_edge": sorted({name for result in shown for name in result.at_edge}),
        "steps": last.training.get("steps"),
        "tuning": {str(result.seed): result.tuning for result in shown},
        "training": {str(result.seed): result.training for result in shown},
        "key": last.group,
        "keys": {str(result.seed): result.key for result in shown},
        "dirty": any(result.dirty for result in shown),
        "dirty_reason": next((result.dirty_reason for result in shown if result.dirty), ""),
        "command": without_folders(max(group, key=lambda result: (len(result.seeds), result.date)).command),
        "data_hash": last.data_hash if len({result.data_hash for result in shown}) == 1 else "",
        "timing": next((timings[result.key] for result in good if result.key in timings), None),
        "published": figure,
        "stress": stability.merged([stresses[result.key] for result in good if result.key in stresses]),
    }
    copied = (set(Entry.model_fields) & set(Result.model_fields)) - set(values)
    return Entry.model_validate({name: getattr(last, name) for name in copied} | values)
