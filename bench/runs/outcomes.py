"""What a run has found, and the result that its spec and its outcome make together."""

from __future__ import annotations

import math
import re
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract import registry
from bench.contract.task import Track
from bench.errors import BenchError
from bench.runs import provenance
from bench.runs.privacy import without_folders
from bench.runs.records import Confidence, Result, finished
from bench.runs.spec import Spec
from bench.runs.store import whole_directory
from bench.sealed import MetricInfo

if TYPE_CHECKING:
    from bench.evaluation.curves import CurvePoint
    from bench.evaluation.evaluate import Evaluation
    from bench.evaluation.pictures import Picture
    from bench.evaluation.tune import Trial


NONDETERMINISTIC = re.compile(r"(\S+) does not have a deterministic implementation")


@dataclass
class Outcome:
    """The findings of a run so far; a failure keeps the findings before it."""

    status: str = "ok"
    reason: str = ""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    at_edge: list[str] = field(default_factory=list)
    trials: Sequence[Trial] = ()
    tuned_on: int = 0  # images
    training: dict[str, Any] = field(default_factory=dict)
    curves: list[CurvePoint] = field(default_factory=list)
    evaluation: Evaluation | None = None
    pictures: Sequence[Picture] = ()
    parameters: int = 0
    splits: dict[str, int] = field(default_factory=dict)
    device: str = ""
    traceback: str = ""
    warnings: Sequence[warnings.WarningMessage] = ()
    notes: list[str] = field(default_factory=list)  # what could not be kept

    @property
    def warned(self) -> list[str]:
        """Each warning once, in one line."""
        return list(dict.fromkeys(" ".join(str(one.message).split()) for one in self.warnings))

    @property
    def nondeterministic(self) -> list[str]:
        """Operations for which PyTorch has no deterministic implementation on the device, as it names them."""
        found = (NONDETERMINISTIC.match(text) for text in self.warned)
        return sorted({match.group(1) for match in found if match})


@contextmanager
def outcome_directory(target: Path) -> Iterator[Path]:
    """A `whole_directory` for a run; a `BenchError` instead of one that failed in place of one that is finished."""
    with whole_directory(target) as directory:
        yield directory
        if finished(target) and not finished(directory):
            raise BenchError(Result.read(directory / "result.json").reason)


def track_of(spec: Spec) -> Track:
    """The track of a spec, with the budget that the spec asks for."""
    from dataclasses import replace

    track = registry.track(spec.track)
    return track if spec.steps is None else replace(track, budget=replace(track.budget, steps=spec.steps))


def failed_result(spec: Spec, reason: str, seconds: float) -> Result:
    """The result of a run whose process could not write one."""
    return make_result(spec, Outcome("failed", without_folders(reason)), seconds, {})


def metric_infos(track: Track) -> dict[str, MetricInfo]:
    """The declarations of a track's metrics, as records keep them."""
    return {
        metric.name: MetricInfo(
            higher_is_better=metric.higher_is_better,
            unit=metric.unit,
            of=metric.of,  # type: ignore[arg-type]
            options=dict(metric.options),
            version=metric.version,
        )
        for metric in track.metrics
    }


def make_result(spec: Spec, outcome: Outcome, seconds: float, files: Mapping[str, str]) -> Result:
    """The record of a run; no method is imported for it."""
    track = track_of(spec)
    evaluation = outcome.evaluation if outcome.status == "ok" else None
    tuning = {}
    if outcome.trials:
        spent = round(sum(trial.seconds for trial in outcome.trials), 3)
        tuning = {"trials": len(outcome.trials), "images": outcome.tuned_on, "seconds": spent}
    return Result(
        key=spec.key,
        group=spec.group,
        task=track.task,
        track=track.name,
        task_version=track.version,
        title=track.title,
        task_code=provenance.code_of(spec.task_sources) if spec.task_sources else None,
        scored=spec.scored,
        method=spec.method.name,
        family=spec.method.family,
        equation=spec.method.equation,
        citation=spec.method.citation,
        label=spec.label,
        protocol=spec.protocol,
        protocol_version=spec.protocol_version,
        control=spec.control,
        sources=spec.method.sources,
        code=spec.method.code,
        search=spec.search,
        seed=spec.seed,
        seeds=spec.seeds,
        status=outcome.status,  # type: ignore[arg-type]
        reason=outcome.reason,
        primary=track.primary.name,
        metrics=metric_infos(track),
        per_image=evaluation.per_image if evaluation else {},
        groups=evaluation.groups if evaluation else {},
        test_images=outcome.splits.get("test", 0),
        requested=plain(spec.hyperparameters),
        hyperparameters=plain(outcome.hyperparameters),
        at_edge=outcome.at_edge,
        learned=spec.method.learned,
        checkpoint=spec.checkpoint,
        tuning=tuning,
        training=plain(outcome.training),
        parameters=outcome.parameters,
        seconds_per_image=evaluation.seconds_per_image if evaluation else None,
        device=outcome.device or spec.accelerator,
        devices=spec.devices,
        accelerator=spec.accelerator,
        threads=spec.threads,
        environment=provenance.environment() | ({"method commit": spec.method_commit} if spec.method_commit else {}),
        data_hash=evaluation.data_hash if evaluation else "",
        image_hashes=evaluation.image_hashes if evaluation else {},
        confidence=confidence_of(evaluation),
        commit=spec.commit,
        dirty=bool(spec.dirty_reason),
        dirty_reason=without_folders(spec.dirty_reason),
        command=spec.command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        limit=spec.limit,
        nondeterministic=outcome.nondeterministic,
        files=dict(files),
    )


def confidence_of(evaluation: Evaluation | None) -> Confidence | None:
    """The record of the scores of standard deviations, where the method returned them."""
    if evaluation is None or evaluation.confidence is None:
        return None
    found = evaluation.confidence
    return Confidence(
        level=100 * found.level,
        factor=[one if math.isfinite(one) else None for one in found.factors],
        images=found.images,
        per_image=found.per_image,
    )


def where(error: BaseException, spec: Spec) -> str:
    """The line of the method's own file at which an error arose; "" for an error of the referee or of other files."""
    path = registry.method_file(spec.method.reference).path
    if path is None or isinstance(error, BenchError):
        return ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" ({path.name}, line {lines[-1]})" if lines else ""


def one_line(error: BaseException) -> str:
    text = without_folders(" ".join(str(error).split()))
    if isinstance(error, BenchError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: numbers of NumPy and torch as Python's, anything unknown as its text."""

    def one(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): one(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [one(item) for item in value]
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = value.item()
        if isinstance(value, bool | int | str) or value is None:
            return value
        if isinstance(value, float):
            return value if value - value == 0 else str(value)
        return str(value)

    return {str(key): one(value) for key, value in values.items()}
