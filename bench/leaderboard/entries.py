"""Results -> entries -> `leaderboards/`: what is published of a method on a track.

The results of one method on one track fall into groups that differ by seed alone. Which group is published never
depends on a test score: a complete group goes before an incomplete one, committed code before changed code, more seeds
before fewer, and then the newer. A group is complete when every seed that was asked for together has ended well, or is
unsupported.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.leaderboard.page import page, table
from bench.leaderboard.statistics import interval
from bench.runs.privacy import without_folders
from bench.runs.records import Entry, Result

__all__ = ["entries", "entry_path", "read", "read_results", "table", "write"]

PAGE = "README.md"
INCOMPLETE = "incomplete"  # opens the flag of an entry that lacks seeds


def entries(results: Iterable[Result]) -> list[Entry]:
    """One entry for every method (with its label) on every track, in the order of their names."""
    newest = {result.key: result for result in sorted(results, key=attrgetter("date"))}
    methods = _split(newest.values(), lambda result: (result.task, result.track, result.method, _label(result)))
    return [_entry(_published(methods[name])) for name in sorted(methods)]


def write(entries: Sequence[Entry], boards: Path) -> list[Entry]:
    """Write entries as `<task>/<track>/<method>.json`, render the page, and return all entries that are there now.

    Entries on disk stay: those of other methods, and one that is complete where the new one is not, or newer. Raises
    `BenchError` where an entry on disk is corrupt or the folder cannot be written.
    """
    for entry in entries:
        path = entry_path(entry, boards)
        if not path.exists() or _precedence(entry) >= _precedence(Entry.read(path)):
            _write(path, entry.to_json())
    found = read(boards)
    _write(boards / PAGE, page(found))
    return found


def read(boards: Path) -> list[Entry]:
    """All entries on disk. Raises `BenchError` where one is corrupt."""
    return [Entry.read(path) for path in sorted(boards.glob("*/*/*.json"))]


def read_results(runs: Path) -> list[Result]:
    """The results of all run directories in a folder. Raises `BenchError` where one is corrupt."""
    return [Result.read(path) for path in sorted(runs.glob("*/result.json")) if not path.parent.name.startswith(".")]


def entry_path(entry: Entry, boards: Path) -> Path:
    return boards / entry.task / entry.track / entry.file_name


def _label(result: Result) -> str:
    """The label; only a protocol run goes without."""
    return result.label or ("" if result.protocol else "custom")


def _split(results: Iterable[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    parts: dict[Any, list[Result]] = {}
    for result in results:
        parts.setdefault(key(result), []).append(result)
    return parts


def _published(results: list[Result]) -> list[Result]:
    """The group of one method's results on one track that its entry shows; an old version never hides a new one."""
    groups = _split(results, attrgetter("group")).values()

    def precedence(group: list[Result]) -> tuple[int, bool, bool, int, str]:
        clean = not any(result.dirty for result in group)
        date = max(result.date for result in group)
        return group[0].task_version, not _lacking(group), clean, len(group), date

    return max(groups, key=precedence)


def _lacking(group: list[Result]) -> list[int]:
    """The seeds asked for that have not ended well."""
    asked = {seed for result in group for seed in result.seeds} | {result.seed for result in group}
    return sorted(asked - {result.seed for result in group if result.status != "failed"})


def _entry(group: list[Result]) -> Entry:
    group = sorted(group, key=attrgetter("seed"))
    good = [result for result in group if result.status == "ok"]
    shown = good or [result for result in group if result.status == "unsupported"] or group
    last = max(shown, key=attrgetter("date"))
    seeds = [result.seed for result in shown]
    costs = [result.seconds_per_image for result in shown if result.seconds_per_image is not None]
    peaks = [result.peak_memory_bytes for result in shown if result.peak_memory_bytes is not None]
    return Entry(
        task=last.task,
        track=last.track,
        task_version=last.task_version,
        method=last.method,
        label=_label(last),
        family=last.family,
        status=last.status,
        reason=without_folders(last.reason),
        primary=last.primary,
        scores=_scores(good),
        per_seed={str(result.seed): result.per_image for result in good},
        seeds=seeds,
        # A method that failed on one seed is not ranked by the others: that would reward failing where it is hard.
        ranked=bool(good) and last.limit is None and all(result.status == "ok" for result in group),
        hyperparameters=_over_seeds({result.seed: result.hyperparameters for result in shown}),
        parameters=last.parameters,
        seconds_per_image=sum(costs) / len(costs) if costs else None,
        peak_memory_bytes=max(peaks) if peaks else None,
        device=last.device,
        environment=last.environment,
        training=_over_seeds_by_name({result.seed: result.training for result in shown}),
        tuning=_over_seeds_by_name({result.seed: result.tuning for result in shown}),
        data_hash=last.data_hash,
        commit=last.commit,
        dirty=any(result.dirty for result in shown),
        command=without_folders(max(group, key=lambda result: (len(result.seeds), result.date)).command),
        date=last.date,
        key=last.group,
        flags=list(_flags(group, good)),
    )


def _scores(good: list[Result]) -> dict[str, dict[str, Any]]:
    """Per metric: images averaged over seeds, then the mean over images and its interval."""
    scores = {}
    for metric, declared in good[0].metrics.items() if good else ():
        per_image = {
            image: _mean([result.per_image[image][metric] for result in good if image in result.per_image])
            for image in good[0].per_image
        }
        ci95 = interval(per_image)
        mean = _mean(list(per_image.values()))
        scores[metric] = {"mean": mean, "ci95": list(ci95) if ci95 else None, "per_image": per_image, **declared}
    return scores


def _flags(group: list[Result], good: list[Result]) -> Iterator[str]:
    last = group[-1]
    if last.limit is not None:
        yield f"only the first {last.limit} test images"
    if last.requested:
        yield "hyperparameters by hand: " + ", ".join(f"{name}={value}" for name, value in last.requested.items())
    if not last.protocol and last.training and not last.requested and last.limit is None:
        yield f"trained for {last.training['steps']} steps, not the track's"
    lacking = _lacking(group)
    if good and lacking:
        asked = len(lacking) + len({result.seed for result in group} - set(lacking))
        yield f"{INCOMPLETE}: {asked - len(lacking)} of {asked} seeds"
        yield from (
            f"seed {result.seed} failed: {without_folders(result.reason)}"
            for result in group
            if result.status == "failed"
        )
    if any(result.dirty for result in group):
        yield "uncommitted changes"
    for name, what in (("device", "devices"), ("data_hash", "test measurements")):
        if len({getattr(result, name) for result in good}) > 1:
            yield f"seeds ran on different {what}"


def _over_seeds(values: Mapping[int, Any]) -> Any:
    """The value where all seeds agree, else ``{seed: value}``."""
    first, *others = values.values()
    return first if all(other == first for other in others) else {str(seed): v for seed, v in values.items()}


def _over_seeds_by_name(values: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    names = sorted({name for value in values.values() for name in value})
    return {name: _over_seeds({seed: value.get(name) for seed, value in values.items()}) for name in names}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)  # exact, so that it does not depend on the order of images


def _precedence(entry: Entry) -> tuple[int, bool, bool, int, str]:
    """The rule by which groups are chosen, between an entry on disk and a new one."""
    complete = entry.status != "failed" and not any(flag.startswith(INCOMPLETE) for flag in entry.flags)
    return entry.task_version, complete, not entry.dirty, len(entry.seeds), entry.date


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, and only if that changes it."""
    scratch = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise BenchError(
            f"cannot write {path}: {error.strerror or error}. Choose another folder by --boards."
        ) from None
