"""Results -> entries: which runs of a method are published, and the entry they make.

The results of one method under one label on one track fall into groups that differ by seed alone. `preferred` says
which group becomes the entry.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.data.weights import is_hash
from bench.leaderboard.entries import Entry, Published, means_of
from bench.leaderboard.staleness import Now, staleness
from bench.leaderboard.statistics import FEWEST_SEEDS
from bench.runs.privacy import private, without_folders
from bench.runs.records import Result
from bench.sealed import Record, first_fault

Candidate = TypeVar("Candidate", list[Result], Entry)


def entries(
    results: Iterable[Result],
    now: Now,
    published: Mapping[tuple[str, str], Published] | None = None,  # {(task:track, row): figure}
    **records: Mapping[str, Record],  # {key: what was found out later}: timing, stress, observed and sensitivity
) -> tuple[list[Entry], list[str]]:
    """One entry for every method and label on every track, in the order of names, and a line for each that fails."""
    newest = {result.key: result for result in sorted(results, key=attrgetter("date"))}
    methods = _split(newest.values(), lambda result: (result.task, result.track, result.method, _label(result)))
    found, problems = [], []
    for name in sorted(methods):
        groups = _split(methods[name], attrgetter("group")).values()
        group = preferred([[one for one in group if not one.dirty] or group for group in groups], now)
        try:
            entry = _entry(group, published or {})
            found.append(entry.model_copy(update=_later(entry, records)))
        except ValidationError as error:
            task, track, method, label = name
            shown = f"{method}@{label}" if label else method
            problems.append(f"the runs of {shown} on {task}:{track} make no valid entry: {first_fault(error)}.")
    return found, problems


def preferred(candidates: Iterable[Candidate], now: Now) -> Candidate:
    """The group of results, or the entry, that is published; never chosen by a score.

    In this order: the newest version of the track; current code; committed code; of a method whose source is not at
    hand, the code of the newest. Of those that are left an `unsupported` one counts against older ones alone, and
    older ones count against it no more. The rest goes by its end: all seeds ended well that were asked for, and no
    fewer than three of a method that is trained; then some; then none. Of equals the newest is published.
    """
    left = [(standing(candidate, now), candidate) for candidate in candidates]
    first = max(one.first for one, _ in left)
    left = [(one, candidate) for one, candidate in left if one.first == first]
    newest, candidate = max(left, key=lambda pair: pair[0].date)
    if newest.status == "unsupported":
        return candidate
    left = [(one, candidate) for one, candidate in left if one.code == newest.code]
    past = max((one.date for one, _ in left if one.status == "unsupported"), default="")
    return max((pair for pair in left if pair[0].date > past), key=lambda pair: pair[0].last)[1]


@dataclass(frozen=True)
class Standing:
    """The facts by which one group of results, or an entry, goes before another."""

    version: int  # of the track
    current: bool
    clean: bool
    code: str
    status: str
    complete: bool
    date: str

    @property
    def first(self) -> tuple[int, bool, bool]:
        return self.version, self.current, self.clean

    @property
    def last(self) -> tuple[bool, bool, str]:
        return self.complete, self.status == "ok", self.date


def standing(candidate: Candidate, now: Now) -> Standing:
    if isinstance(candidate, Entry):
        records, status, ended = [candidate], candidate.status, candidate.seeds if candidate.status == "ok" else []
        lacking = bool(candidate.failures) or not set(candidate.asked) <= set(ended)
    else:
        records = candidate
        found = {result.status for result in records}
        status = next(one for one in ("ok", "unsupported", "failed") if one in found)
        ended = [result.seed for result in records if result.status == "ok"]
        lacking = bool(_lacking(records))
    last = max(records, key=attrgetter("date"))
    return Standing(
        version=last.task_version,
        current=not any(staleness(record, now) for record in records),
        clean=not any(record.dirty for record in records),
        code=last.code,
        status=status,
        complete=status == "ok" and not lacking and (not _trains(last) or len(ended) >= FEWEST_SEEDS),
        date=last.date,
    )


def merged(new: Entry, old: Entry) -> Entry:
    """A new entry with what the old one knows of the same runs: costs, and that it was verified."""
    if not of_same_runs(new, old) or new.code != old.code:
        return new
    return new.model_copy(update={**findings(new, old), "verified": old.verified, "renewed": old.renewed})


def enriched(old: Entry, new: Entry) -> Entry:
    """An entry that stays, as its code was renewed, with what was found out about its runs since."""
    return old.model_copy(update=findings(new, old)) if old.renewed and of_same_runs(new, old) else old


def of_same_runs(one: Entry, other: Entry) -> bool:
    return one.keys == other.keys and one.per_seed == other.per_seed


def findings(first: Entry, second: Entry) -> dict[str, Any]:
    """What two entries know of the runs that they share; of the first where both know it."""
    names = ("timing", "stress", "observed", "sensitivity")
    return {name: getattr(first, name) or getattr(second, name) for name in names}


def _later(entry: Entry, records: Mapping[str, Mapping[str, Record]]) -> dict[str, dict[str, Record] | Record | None]:
    """What was found out about the runs of an entry when they had ended: by seed, and the costs of one of them."""
    by_seed = {
        name: {seed: of_runs[key] for seed, key in entry.keys.items() if key in of_runs} or None
        for name, of_runs in records.items()
    }
    return by_seed | {"timing": next(iter((by_seed.get("timing") or {}).values()), None)}


def _trains(record: Result | Entry) -> bool:
    """Whether seeds stand for trainings: published weights have none."""
    return record.learned and not is_hash(record.checkpoint)


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


def published_command(result: Result) -> str:
    """The command of a run without folders of its machine: the path of a method's file is the reader's to fill in."""
    file = f"{result.method}.py"
    words = []
    for word in shlex.split(result.command):
        path, colon, rest = word.partition(":")
        if path.endswith(f"/{file}") and path.startswith(("/", "~/")):
            word = f"path/to/{file}{colon}{rest}"
        words.append(word)
    return without_folders(shlex.join(words))


def _entry(group: list[Result], published: Mapping[tuple[str, str], Published]) -> Entry:
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
        "command": published_command(max(group, key=lambda result: (len(result.seeds), result.date))),
        "data_hash": last.data_hash if len({result.data_hash for result in shown}) == 1 else "",
        "published": figure,
        "confidence": {str(one.seed): one.confidence for one in good if one.confidence is not None} or None,
    }
    copied = (set(Entry.model_fields) & set(Result.model_fields)) - set(values)
    return Entry.model_validate({name: getattr(last, name) for name in copied} | values)
