"""`Entry`: the published record of one method on one track, `leaderboards/<task>/<track>/<method>[@label].json`.

An entry keeps every score per seed and image, all that a run needs to be made again, and nothing that follows from
these but the means, which are checked against the scores whenever an entry is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from bench.errors import BenchError
from bench.leaderboard.statistics import PerSeed
from bench.places import whole_file
from bench.runs.records import Confidence, Observed, Sensitivity, Status, Stress, Timing
from bench.sealed import Date, Finite, Hash, ImageId, Key, Label, MetricInfo, Name, Plain, Record, Scores, Sealed

FORMAT = 2  # of an entry; entries of another format are left aside until their runs are made again
ROUNDING = 1e-9  # relative: a mean is equal to the mean of its scores but for the order of a sum

Seed = str  # JSON has no whole numbers as names


class Published(Record):
    """A figure from the literature for the same method on the same data."""

    value: Finite
    metric: Name
    source: str = Field(min_length=1)  # a reference a reader can find
    url: str = Field(default="", pattern=r"^(https?://[^\s<>\"'`|\\]+)?$")
    remark: str = ""  # where the figure was made under other conditions than the row's


class Verified(Record):
    """The last time that images of this entry were computed again, and agreed."""

    date: str
    commit: str
    device: str
    images: int = Field(ge=1)  # compared, over all seeds
    agreement: Literal["bits", "tolerance"]


class Renewed(Record):
    """The hash of the code was replaced because the new code gave equal bits on some images."""

    date: str
    commit: str
    device: str
    images: int = Field(ge=1)
    code_before: Hash  # hash of the code that made the scores


class Entry(Sealed):
    """One method, under one label, on one track."""

    format: Literal[2] = 2
    task: Name
    track: Name
    task_version: int
    title: str  # of the track
    task_code: Hash | None = None  # of a task from outside of this repository
    scored: Hash  # of all fields of the track that move a score, and of its data
    method: Name
    family: Name
    equation: str
    citation: str
    label: Label
    control: Literal["", "defaults", "oracle", "truth"]
    protocol: bool
    protocol_version: int
    sources: dict[str, Hash]
    code: Hash
    search: Hash
    learned: bool
    status: Status
    reason: str
    primary: str
    metrics: dict[Name, MetricInfo]
    scores: dict[str, Finite]  # {metric: mean over the images of their means over the seeds}
    per_seed: dict[Seed, Scores]  # {seed: {image: {metric: value}}}
    groups: dict[ImageId, str]  # {image: group of images that are not independent}
    test_images: int  # in the track's test split
    limit: int | None
    asked: list[int]  # seeds
    seeds: list[int]  # that ended well
    failures: dict[Seed, str]  # {seed: reason}
    requested: Plain  # hyperparameters on the command line
    hyperparameters: dict[Seed, Plain]  # used: requested, tuned or default
    at_edge: list[str]  # tuned hyperparameters within 2 % of an edge of their range
    checkpoint: str  # key of the run, or SHA-256 of published weights, used in place of a training
    steps: int | None  # of the training
    tuning: dict[Seed, Plain]
    training: dict[Seed, Plain]
    parameters: int
    key: Key  # of the group
    keys: dict[Seed, Key]
    device: str
    devices: int
    accelerator: Literal["cpu", "cuda"]
    threads: int
    environment: dict[str, str]
    data_hash: str
    image_hashes: dict[str, str]
    commit: str
    dirty: bool
    dirty_reason: str
    command: str
    date: Date
    timing: Timing | None = None
    published: Published | None = None
    verified: Verified | None = None
    renewed: Renewed | None = None
    stress: dict[Seed, Stress] | None = None  # scores under shifts
    confidence: dict[Seed, Confidence] | None = None  # scores of standard deviations
    observed: dict[Seed, Observed] | None = None  # task-based quality
    sensitivity: dict[Seed, Sensitivity] | None = None  # of its finding, by region

    @model_validator(mode="before")
    @classmethod
    def _stress_by_seed(cls, values: Any) -> Any:
        """Earlier entries hold means over ``stress_seeds``, which tell nothing of the spread of seeds."""
        if not isinstance(values, dict) or "stress_seeds" not in values:
            return values
        seeds, found = (values.get(name) for name in ("stress_seeds", "stress"))
        kept = {str(seeds[0]): found} if found and seeds and len(seeds) == 1 else None
        return {name: value for name, value in values.items() if name != "stress_seeds"} | {"stress": kept}

    @model_validator(mode="after")
    def _label_and_control(self) -> Entry:
        if not self.protocol and not self.label:
            raise ValueError("label: a run other than the protocol's needs one")
        beyond = self.control not in ("", "truth") or self.requested or self.checkpoint or self.limit is not None
        if self.protocol and beyond:
            raise ValueError("protocol: true, and yet the run was asked for more than the protocol")
        return self

    @model_validator(mode="after")
    def _scores(self) -> Entry:
        if self.status != "ok":
            if self.per_seed or self.scores:
                raise ValueError(f"status: {self.status!r}, and yet there are scores")
            return self
        if [str(seed) for seed in self.seeds] != sorted(self.per_seed, key=int) or not self.seeds:
            raise ValueError(f"per_seed: has the seeds {sorted(self.per_seed)}, seeds names {self.seeds}")
        if self.primary not in self.metrics:
            raise ValueError(f"primary: {self.primary!r} is not among the metrics {sorted(self.metrics)}")
        expected = self.test_images if self.limit is None else min(self.limit, self.test_images)
        for seed, images in self.per_seed.items():
            if len(images) != expected:
                raise ValueError(f"per_seed.{seed}: {len(images)} of {expected} test images have scores")
            if set(images) != set(self.groups):
                raise ValueError(f"groups: names other images than per_seed.{seed}")
            for image, scores in images.items():
                if set(scores) - set(self.metrics) or self.primary not in scores:
                    raise ValueError(f"per_seed.{seed}.{image}: has the scores {sorted(scores)}")
        means = means_of(self.per_seed)
        if set(means) != set(self.scores):
            raise ValueError(f"scores: {sorted(self.scores)}, but per_seed has {sorted(means)}")
        for metric, mean in means.items():
            if not math.isclose(mean, self.scores[metric], rel_tol=ROUNDING, abs_tol=ROUNDING):
                raise ValueError(f"scores.{metric}: {self.scores[metric]!r} is not the mean of its images, {mean!r}")
        return self

    @model_validator(mode="after")
    def _published(self) -> Entry:
        if self.published and self.status == "ok" and self.published.metric not in self.metrics:
            raise ValueError(f"published.metric: no metric {self.published.metric!r} among {sorted(self.metrics)}")
        return self

    @property
    def board(self) -> str:
        """The track's name, ``task:track``."""
        return f"{self.task}:{self.track}"

    @property
    def name(self) -> str:
        """The method as the board names it."""
        return f"{self.method}@{self.label}" if self.label else self.method

    @property
    def file(self) -> Path:
        """Its path below the folder of boards."""
        return Path(self.task, self.track, f"{self.name}.json")


def means_of(per_seed: dict[Seed, Scores]) -> dict[str, float]:
    """The mean of each metric over the images that have it, after the mean over the seeds."""
    return {metric: mean(values.values()) for metric, values in per_image(per_seed).items()}


def of_metric(entry: Entry, metric: str) -> PerSeed:
    """``{seed: {image: value}}`` of one metric, over the images that have it."""
    return {
        int(seed): {image: scores[metric] for image, scores in images.items() if metric in scores}
        for seed, images in entry.per_seed.items()
    }


def per_image(per_seed: dict[Seed, Scores]) -> dict[str, dict[str, float]]:
    """``{metric: {image: mean over the seeds}}``."""
    found: dict[str, dict[str, list[float]]] = {}
    for images in per_seed.values():
        for image, scores in images.items():
            for metric, value in scores.items():
                found.setdefault(metric, {}).setdefault(image, []).append(value)
    return {metric: {image: mean(v) for image, v in images.items()} for metric, images in found.items()}


def mean(values: Iterable[float]) -> float:
    """An exact sum, so that a mean does not depend on the order of images."""
    values = list(values)
    return math.fsum(values) / len(values)


@dataclass
class Reading:
    """The entries of a folder of boards, and one line for each file that could not be read."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    older: int = 0  # entries of an older format


def read_all(boards: Path) -> Reading:
    """Read every entry of a folder of boards; a bad file stops none of the others."""
    found = Reading()
    for path in sorted(boards.glob("*/*/*.json")):
        if path.name.startswith("."):
            continue
        try:
            found.entries.append(read(path, boards))
        except OlderFormat:
            found.older += 1
        except BenchError as error:
            found.damaged.append(path.relative_to(boards))
            found.problems.append(f"{error} Restore it, by `git restore {path}` for instance, or delete it.")
    if found.older:
        found.problems.append(f"{found.older} entries of an older format: run them again.")
    return found


def read(path: Path, boards: Path | None = None) -> Entry:
    """Read one entry. Raises `BenchError` where it is damaged or lies at a path that is not its own."""
    if is_older(path, FORMAT):
        raise OlderFormat(f"{path} is an entry of an older format: run it again.")
    entry = Entry.read(path)
    parts = path.absolute().parts[-3:] if boards is None else path.relative_to(boards).parts
    if parts != entry.file.parts:
        raise BenchError(f"{path} is no valid entry: by its content it is {entry.file}.")
    return entry


class OlderFormat(BenchError):
    """The file was written by an older version of the suite."""


def is_older(path: Path, version: int) -> bool:
    """Whether a JSON file states no format or a lower one. Damaged files are not older: reading them says why."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(values, dict) or not {"task", "track", "method"} <= set(values):
        return False
    stated = values.get("format", 0)
    return type(stated) is int and stated < version


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, and only if that changes it. Raises `BenchError` where it cannot be written."""
    try:
        if path.exists() and path.read_bytes() == text.encode():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        reason = error.strerror or error
        raise BenchError(f"cannot write {path}: {reason}. Choose another folder by --boards.") from None
