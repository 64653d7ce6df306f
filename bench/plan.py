"""What `bench run --plan` shows: which runs are done, which would start, and how long they would take.

The time of a run is expected from earlier runs of the same method and label, on the same track and kind of device: from
the median of those in the store, else from the tuning, training and reconstruction times of the published entry.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from bench.engines.pending_runs import claim_path, is_done, longest_first
from bench.errors import BenchError
from bench.leaderboard.entries import Entry, read
from bench.leaderboard.publish import DEFAULT
from bench.places import partial, runs
from bench.runs.records import Result
from bench.runs.spec import SHORT_KEY, Spec
from bench.runs.store import held

DONE, AT_WORK, INTERRUPTED, TO_RUN = "done", "at work", "interrupted", "to run"


@dataclass(frozen=True)
class Planned:
    """A run, how far it is, and the seconds that it takes or took, where an earlier run tells (``source``)."""

    spec: Spec
    state: str
    seconds: float | None
    source: str

    @property
    def pending(self) -> bool:
        return self.state in (TO_RUN, INTERRUPTED)


def plan(specs: Sequence[Spec], *, force: bool = False, boards: Path = DEFAULT) -> list[Planned]:
    """What a command would do with each of its runs; nothing is started and nothing is written."""
    earlier = Earlier(boards)
    planned = []
    for spec in specs:
        state = state_of(spec, force)
        seconds, source = earlier.expected(spec) if state != DONE else (earlier.took(spec.key), "")
        planned.append(Planned(spec, state, seconds, source))
    return planned


def state_of(spec: Spec, force: bool) -> str:
    if held(claim_path(spec)):
        return AT_WORK
    if is_done(spec) and not force:
        return DONE
    return INTERRUPTED if any(partial(spec.key).rglob("*.ckpt")) else TO_RUN


class Earlier:
    """The times of the runs of the store, and of the entries of ``boards``."""

    def __init__(self, boards: Path) -> None:
        self.boards = boards
        self.seconds: dict[str, float] = {}  # by key
        self.of_kind: dict[tuple[object, ...], list[float]] = {}
        for result in results():
            self.seconds[result.key] = result.seconds
            track = f"{result.task}:{result.track}"
            kind = (track, result.name, result.limit, result.accelerator, result.devices)
            self.of_kind.setdefault(kind, []).append(result.seconds)

    def took(self, key: str) -> float | None:
        return self.seconds.get(key)

    def expected(self, spec: Spec) -> tuple[float | None, str]:
        """The seconds that a run is expected to take, and the source of this; (None, "") without an earlier one."""
        found = self.of_kind.get((spec.track, spec.name, spec.limit, spec.accelerator, spec.devices))
        if found:
            return median(found), f"{len(found)} earlier run{'s' if len(found) > 1 else ''}"
        task, _, track = spec.track.partition(":")
        path = self.boards / task / track / f"{spec.name}.json"
        try:
            entry = read(path) if path.exists() else None
        except BenchError:
            entry = None
        if entry is None or (entry.accelerator, entry.devices) != (spec.accelerator, spec.devices):
            return None, ""
        seconds = published(entry)
        return seconds, "" if seconds is None else f"its entry, {entry.device}"


def results() -> Iterator[Result]:
    """The results of the store, without those that failed: a failure says nothing about how long a run takes."""
    for path in sorted(runs().glob("[0-9a-f]*/result.json")):
        try:
            result = Result.read(path)
        except BenchError:  # of an older format, or damaged: the board says so
            continue
        if result.status != "failed":
            yield result


def published(entry: Entry) -> float | None:
    """Seconds of a run of an entry, the mean over its seeds; None where it holds none.

    An entry keeps the time of the tuning and of the training, and of an image where that was measured.
    """
    seeds = [
        sum(float(record.get(seed, {}).get("seconds", 0.0)) for record in (entry.tuning, entry.training))
        for seed in entry.per_seed
    ]
    images = entry.test_images if entry.limit is None else min(entry.limit, entry.test_images)
    total = mean(seeds or [0.0]) + (entry.timing.seconds_per_image * images if entry.timing else 0.0)
    return total or None


def makespan(seconds: Iterable[float], jobs: int) -> float:
    """The time that runs take in this order, each started as soon as one of ``jobs`` places is free."""
    free = [0.0] * jobs
    for one in seconds:
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)


def lines(planned: Sequence[Planned], jobs: int) -> Iterator[str]:
    """The plan as a table, one run a line, and the total."""
    rows = [("track", "method", "seed", "key", "state", "time", "expected from")]
    for one in planned:
        spec = one.spec
        time = "?" if one.seconds is None else duration(one.seconds)
        rows.append((spec.track, spec.name, str(spec.seed), spec.key[:SHORT_KEY], one.state, time, one.source))
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:{size}}" for cell, size in zip(row, width, strict=True)).rstrip()
    pending = {one.spec.key: one for one in planned if one.pending}
    known = [pending[spec.key].seconds for spec in longest_first(one.spec for one in pending.values())]
    times = [seconds for seconds in known if seconds is not None]
    unknown = len(known) - len(times)
    counts = [f"{sum(one.state == DONE for one in planned)} of {len(planned)} done", f"{len(pending)} to run"]
    at_work = sum(one.state == AT_WORK for one in planned)
    counts += [f"{at_work} at work in another command"] if at_work else []
    total = f": about {duration(makespan(times, jobs))} with {jobs} job{'s' if jobs > 1 else ''}" if times else ""
    yield ", ".join(counts) + total + (f"; the time of {unknown} is not known" if unknown else "")


def duration(seconds: float) -> str:
    """In the two largest units."""
    whole = round(seconds)
    for unit, size, name, part in ((3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= unit:
            rest = whole % unit // size
            return f"{whole // unit} {name}" + (f" {rest} {part}" if rest else "")
    return f"{seconds:.2g} s" if seconds < 1 else f"{whole} s"
