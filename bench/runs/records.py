"""The frozen records: `Result`, the outcome of one run, and `Entry`, what is published of a method on a track."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from bench.errors import BenchError
from bench.runs.store import whole_directory

STATUSES = ("ok", "failed", "unsupported")

Scores = Mapping[str, Mapping[str, float]]  # {image id: {metric: value}}


class Record:
    """A frozen dataclass that is written to and read from JSON."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False) + "\n"  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, text: str, origin: str = "text") -> Self:
        """Read a record; a `BenchError` names ``origin`` where the text is none."""
        try:
            values = json.loads(text)
            return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})  # type: ignore[arg-type]
        except (ValueError, TypeError) as error:
            raise BenchError(f"{origin} holds no {cls.__name__.lower()}: {error}. Delete it or restore it.") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"cannot read {path}: {error}.") from None


@dataclass(frozen=True)
class Result(Record):
    """One run: one (track, method, requested hyperparameters, seed)."""

    key: str  # hash of all that was asked for and moves the scores
    group: str  # the same without the seed: runs of one group differ by seed alone
    task: str
    track: str
    task_version: int
    method: str
    family: str
    label: str  # empty for a protocol run, else names what was asked for beyond the protocol
    protocol: bool  # tuned or default hyperparameters on the whole test set
    seed: int
    seeds: list[int]  # asked for together
    status: str
    reason: str  # why not ok, in one line
    primary: str
    metrics: dict[str, dict[str, Any]]  # {name: {"higher_is_better": bool, "unit": str}}
    per_image: dict[str, dict[str, float]]
    requested: dict[str, Any]  # hyperparameters on the command line
    hyperparameters: dict[str, Any]  # those used: requested, tuned or default
    tuning: dict[str, Any]  # trials, images, seconds
    training: dict[str, Any]  # steps, batch, seconds, validation score; empty for a method that does not learn
    parameters: int
    seconds_per_image: float | None
    peak_memory_bytes: int | None
    device: str
    devices: int
    environment: dict[str, str]  # versions, what peak memory means
    data_hash: str  # of the test measurements' bits
    commit: str
    dirty: bool
    command: str
    date: str  # ISO 8601, UTC
    seconds: float  # the whole run
    limit: int | None = None

    @property
    def name(self) -> str:
        """The method as the board names it."""
        return f"{self.method}@{self.label}" if self.label else self.method

    def mean(self, metric: str) -> float:
        return sum(scores[metric] for scores in self.per_image.values()) / len(self.per_image)


def finished(run_dir: Path) -> bool:
    """Whether a run directory holds an outcome that need not be sought again: failed is not finished."""
    try:
        return Result.read(run_dir / "result.json").status != "failed"
    except BenchError:
        return False


@contextmanager
def outcome_directory(target: Path) -> Iterator[Path]:
    """A `whole_directory` for a run; a `BenchError` instead of one that failed in place of one that is finished."""
    with whole_directory(target) as directory:
        yield directory
        if finished(target) and not finished(directory):
            raise BenchError(Result.read(directory / "result.json").reason)


@dataclass(frozen=True)
class Entry(Record):
    """The published result of a method on a track, over its seeds."""

    task: str
    track: str
    task_version: int
    method: str
    label: str
    family: str
    status: str
    reason: str
    primary: str
    scores: dict[str, dict[str, Any]]  # {metric: {"mean", "ci95", "per_image", "higher_is_better", "unit"}}
    per_seed: dict[str, Scores]  # {seed: {image id: {metric: value}}}
    seeds: list[int]
    ranked: bool  # False for a subset of the test set and for what did not end well
    hyperparameters: dict[str, Any]  # {seed: chosen values} where they differ, else the values
    parameters: int
    seconds_per_image: float | None
    peak_memory_bytes: int | None
    device: str
    environment: dict[str, str]
    training: dict[str, Any]
    tuning: dict[str, Any]
    data_hash: str
    commit: str
    dirty: bool
    command: str
    date: str
    key: str
    flags: list[str] = field(default_factory=list)  # what a reader should know: dirty, label, differing data hash

    @property
    def name(self) -> str:
        return f"{self.method}@{self.label}" if self.label else self.method

    @property
    def file_name(self) -> str:
        """The name of its file; what a file name cannot hold becomes an underscore."""
        return re.sub(r"[^A-Za-z0-9_.@=+,-]", "_", self.name) + ".json"
