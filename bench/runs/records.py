"""Typed records, validated whenever they are read: `Result`, the outcome of one run, and `Timing`, its costs.

A record is a pydantic model that is written as JSON. Reading one that is damaged, edited by hand against its form, or
of another format version raises a `BenchError` of one line that names the file and the field.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.errors import BenchError

FORMAT = 2  # of a result; another version is refused when it is read
LATER = ("confidence",)  # fields that are not written where they are None, so that earlier records stay as they are

Status = Literal["ok", "failed", "unsupported"]
# Names become folders and files: no separators, no leading dot, no control characters.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$")]
Label = Annotated[str, Field(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.,=+-]{0,119})?$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _image_id(text: str) -> str:
    if not 0 < len(text) <= 200 or text.startswith("/") or "\\" in text or ".." in text.split("/"):
        raise ValueError("expected the id of an image, of 1 to 200 letters, and no path out of a folder")
    return _printable(text)


def _relative_path(text: str) -> str:
    parts = text.split("/")
    if text.startswith("/") or "\\" in text or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected the path of a file inside the run directory, such as pictures/a.png")
    return _printable(text)


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("expected text without control characters")
    return text


def _date(text: str) -> str:
    datetime.fromisoformat(text)
    return text


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: a number that is not finite can't be written again."""
    pending: list[Any] = [values]
    while pending:
        value = pending.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"expected finite numbers, found {value}")
        pending += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return values


ImageId = Annotated[str, AfterValidator(_image_id)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]
Date = Annotated[str, AfterValidator(_date)]  # ISO 8601
Plain = Annotated[dict[str, Any], AfterValidator(_plain)]
Scores = dict[ImageId, dict[str, Finite]]  # {image id: {metric: value}}


class Record(BaseModel):
    """A frozen model that is written to and read from JSON. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_json(self) -> str:
        """Indented JSON with sorted keys and a newline at its end. Raises `ValueError` where a number is not finite."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str = "text") -> Self:
        """Read a record. Raises a `BenchError` that names ``origin`` and the first field at fault."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise BenchError(f"{origin} is no valid {cls.__name__.lower()}: {first_fault(error)}.") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise BenchError(f"cannot read {path}: {error.strerror or error}.") from None
        except UnicodeDecodeError:
            raise BenchError(f"cannot read {path}: it is no text.") from None


class Sealed(Record):
    """A record whose file ends with a checksum of its values, by which a flipped bit or an edit by hand is seen."""

    demands_checksum: ClassVar[bool] = True

    def to_json(self) -> str:
        values = self.model_dump(mode="json", exclude={name for name in LATER if getattr(self, name, None) is None})
        return json.dumps(values | {"checksum": checksum(values)}, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, origin: str = "text") -> Self:
        """Read a record. Raises a `BenchError` that names ``origin`` and the field at fault, at last the checksum."""
        stated, values = None, {}
        try:
            values = json.loads(text)
            stated = values.pop("checksum", None) if isinstance(values, dict) else None
            text = json.dumps(values)
        except (ValueError, RecursionError):
            pass  # the reading below says why
        record = super().from_json(text, origin)
        missed = stated is None and not cls.demands_checksum
        if not missed and stated != checksum(values):  # as written: a field that came later is not among them
            kind = cls.__name__.lower()
            raise BenchError(f"{origin} is no valid {kind}: checksum: the file was changed since it was written.")
        return record


def checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation as one line: the field, the value and the rule."""
    fault = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"]) or "the text"
    value = repr(fault.get("input"))
    shown = f" (it is {value[:60]})" if fault["type"] not in ("missing", "json_invalid") and len(value) < 200 else ""
    others = error.error_count() - 1
    message = fault["msg"].removeprefix("Value error, ")
    return f"{field}: {message}{shown}" + (f", and {others} more" if others else "")


class MetricInfo(Record):
    """The declaration of a metric on the track where it was taken."""

    higher_is_better: bool
    unit: str = ""
    of: Literal["image", "finding", "std"] = "image"
    options: Plain = Field(default_factory=dict)  # data range, crop, real part or magnitude, mask
    version: int = 1


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
    """Scores of standard deviations: ``factor`` times the deviation, from validation, covers ``level`` percent."""

    level: Finite
    factor: Finite | None  # None where no finite one covers enough
    images: int  # of the validation split
    per_image: Scores  # coverage and calibrated_coverage in percent, width, correlation, ause


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
