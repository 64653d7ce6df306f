"""The records of a run: `Result`, its outcome, and what is found out about it later, each in a file of its own.

These are `Timing`, its costs, `Stress`, its scores under shifts, `Observed`, the task-based quality of its images, and
`Sensitivity`, how its finding depends on the regions of the object.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bench.errors import BenchError
from bench.sealed import (
    Date,
    Finite,
    Hash,
    ImageId,
    Key,
    Label,
    MetricInfo,
    Name,
    Plain,
    Record,
    RelativePath,
    Scores,
    Sealed,
)

FORMAT = 2  # of a result; another version is refused when it is read

Status = Literal["ok", "failed", "unsupported"]


class Timing(Sealed):
    """Costs of a run, measured by repeats while no other run of the command worked."""

    demands_checksum = False  # the first ones were written without

    seconds_per_image: Finite
    spread: Finite  # the largest minus the smallest repeat, in seconds
    repeats: int = Field(ge=1)
    images: int = Field(ge=1)
    peak_memory_bytes: int | None  # of the reconstruction; None where it could not be seen
    peak_memory: str  # the meaning of the number above: rise of resident size, or allocated on the GPU
    device: str
    threads: int = Field(ge=1)
    load: Finite  # processes that wanted a processor besides this one, averaged over the minute before
    date: Date


class StressPoint(Record):
    """The primary metric of every image at one point of a shift, or the reason for having none."""

    at: str
    per_image: dict[ImageId, Finite]
    reason: str = ""


class Stress(Sealed):
    """The scores of a finished run under shifts that its track declares, without tuning or training again."""

    format: Literal[1] = 1
    shifts: dict[str, list[StressPoint]]  # the points in the order of the track
    own: dict[str, str]  # {shift: the point that is the track itself}
    titles: dict[str, str]  # {shift: its title}
    primary: str
    device: str
    commit: str
    date: Date


class Confidence(Record):
    """Scores of standard deviations: a factor times the deviation, from validation, covers ``level`` percent."""

    level: Finite
    factor: list[Finite | None] | Finite | None  # by category, None where no finite one covers enough; earlier, one
    images: int  # of the validation split
    per_image: Scores  # coverage and calibrated_coverage in percent, width, correlation, ause


class Observed(Sealed):
    """The scores of a frozen observer's findings in the images of a finished run, and the ones of the images."""

    format: Literal[1] = 1
    observer: Hash  # of its weights and of the images that it reads
    on: str  # the track of these images
    primary: str  # the first score of the finding
    metrics: dict[Name, MetricInfo]
    per_image: Scores  # for a score of the set the share of the image
    groups: dict[ImageId, str]
    truth: dict[Name, Finite]  # the scores of its findings in the true images
    device: str
    commit: str
    date: Date

    def mean(self, metric: str) -> float:
        return sum(scores[metric] for scores in self.per_image.values()) / len(self.per_image)


class Sensitivity(Sealed):
    """How much of the change of a finding comes from changes of the object inside a region (the lungs)."""

    format: Literal[1] = 1
    region: str
    inside: dict[ImageId, Finite]  # the share of the change that comes from inside, in [0, 1]
    area: dict[ImageId, Finite]  # the share of the image that the region fills: of a finding that has no focus
    device: str
    commit: str
    date: Date


class Result(Sealed):
    """One run: one (track, method, requested hyperparameters, seed)."""

    demands_checksum = False  # the first ones were written without
    format: Literal[2] = 2
    key: Key  # hash of the spec
    group: Key  # the same without the seed: runs of one group differ by seed alone
    task: Name
    track: Name
    task_version: int
    title: str  # of the track
    task_code: Hash | None = None  # of a task from outside of this repository; our own have versions
    scored: Hash  # of the fields of the track that move a score, and of its data
    method: Name
    family: Name
    equation: str  # first line of the method's docstring
    citation: str  # the reference in the method's docstring
    label: Label  # empty for a protocol run, else names the wish beyond the protocol
    protocol: bool  # tuned or trained by the track's budget, on the whole test set
    protocol_version: int  # of the referee
    # Default hyperparameters; tuned on the test set; given the true images.
    control: Literal["", "defaults", "oracle", "truth"] = ""
    sources: dict[str, Hash]  # code hash of the method's file and of each module that it imports
    code: Hash  # hash of all sources
    search: Hash  # hash of search space, budget and recipe
    seed: int
    seeds: list[int]  # asked for together
    status: Status
    reason: str  # why not ok, in one line
    primary: str
    metrics: dict[Name, MetricInfo]
    per_image: Scores
    groups: dict[ImageId, str]  # {image id: group of images that are not independent}
    test_images: int = Field(ge=0)  # in the track's test split
    requested: Plain  # hyperparameters on the command line
    hyperparameters: Plain  # the ones used: requested, tuned or default
    at_edge: list[str] = Field(default_factory=list)  # tuned hyperparameters within 2 % of an edge of their range
    learned: bool  # whether the method is trained on the training split
    checkpoint: str = ""  # key of the run, or SHA-256 of published weights, used in place of a training
    tuning: Plain  # trials, images, seconds
    training: Plain  # steps, batch, seconds, validation score; empty for a method that does not learn
    parameters: int
    seconds_per_image: Finite | None  # of the scoring pass, while other runs may have worked; see `Timing`
    device: str
    devices: int
    accelerator: Literal["cpu", "cuda"]
    threads: int
    environment: dict[str, str]  # versions, and the commit of a method from outside
    data_hash: str  # of the test measurements' bits
    image_hashes: dict[ImageId, Hash]  # of each test measurement's bits
    confidence: Confidence | None = None  # of a method that returns a standard deviation
    commit: str
    dirty: bool
    dirty_reason: str = ""  # which files differ from the commit
    command: str
    date: Date  # UTC
    seconds: Finite  # the whole run
    limit: int | None = None
    nondeterministic: list[str] = Field(default_factory=list)  # operations whose bits may differ between equal runs
    files: dict[RelativePath, Hash] = Field(default_factory=dict)  # SHA-256 of every other file of the run directory

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.status == "ok":
            if self.primary not in self.metrics:
                raise ValueError(f"the primary metric {self.primary!r} is not among the metrics {sorted(self.metrics)}")
            for image, scores in self.per_image.items():
                if set(scores) - set(self.metrics) or self.primary not in scores:
                    raise ValueError(f"image {image!r} has the scores {sorted(scores)}, not {sorted(self.metrics)}")
            expected = self.test_images if self.limit is None else min(self.limit, self.test_images)
            if len(self.per_image) != expected:
                raise ValueError(f"{len(self.per_image)} of {expected} test images have scores")
            for name in ("groups", "image_hashes"):
                if set(getattr(self, name)) != set(self.per_image):
                    raise ValueError(f"{name} and per_image name different images")
        return self

    @property
    def name(self) -> str:
        """The method as the board names it."""
        return f"{self.method}@{self.label}" if self.label else self.method

    def mean(self, metric: str) -> float:
        """The mean over the images that have the metric. Raises `KeyError` where none has."""
        values = [scores[metric] for scores in self.per_image.values() if metric in scores]
        if not values:
            raise KeyError(metric)
        return sum(values) / len(values)

    @property
    def scored_by(self) -> list[str]:
        """The metrics that some image has: one that does not apply to the method is absent."""
        return [metric for metric in self.metrics if any(metric in scores for scores in self.per_image.values())]


def finished(run_dir: Path) -> bool:
    """Whether a run directory holds an outcome that need not be sought again: failed is not finished."""
    try:
        return Result.read(run_dir / "result.json").status != "failed"
    except BenchError:
        return False
