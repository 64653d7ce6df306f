"""One training by `bench run` in a store of its own: watched for its pace, stopped at its deadline, its weights scored.

A training that is stopped keeps its last checkpoint in its store.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contract import registry
from bench.data import manifest
from bench.errors import BenchError
from bench.runs.records import Result, finished
from tests.gpu_check.report import FAILED, NOTE, OK, Row
from tests.gpu_check.resume import Command
from tests.gpu_train.pacing import START, corrected, steps_within
from tests.gpu_train.trainings import Training

STOPPED = "stopped"  # a verdict: its time was over, and its checkpoint is kept
WATCH = 8.0  # seconds from the first steps until their pace is believed
GRACE = 15.0  # seconds beyond its deadline after which a training is stopped
THEN = 15.0  # seconds that scoring on further tracks takes, of the time of the training
LOOK = 0.2  # seconds between looks
PACE = re.compile(rb"training (\d+)/(\d+), ([0-9.e+-]+) steps/s")


@dataclass(frozen=True)
class Place:
    """Where trainings work: the folder of their stores, and options of every `bench run`."""

    folder: Path
    options: tuple[str, ...] = ()
    limit: int | None = None  # test images

    def store(self, training: Training) -> Path:
        """The store of a training; the phantoms of all are in one cache."""
        store = self.folder / training.name
        store.mkdir(parents=True, exist_ok=True)
        (self.folder / "cache").mkdir(exist_ok=True)
        if not (store / "cache").exists():
            (store / "cache").symlink_to((self.folder / "cache").absolute())
        return store


def lacking(training: Training) -> str:
    """Why a training cannot run here: its method is not there, or its data are not; "" where it can."""
    name = training.method.partition(":")[0]
    if name not in registry.methods():
        return f"there is no method {name} here"
    try:
        for data in {name for track in (training.track, *training.then) for name in registry.track(track).data}:
            manifest.need(data)
    except BenchError as error:
        return str(error)
    return ""


def train(training: Training, place: Place, deadline: float, end: float) -> list[Row]:
    """The row of the training, and one for each track on which its weights are scored; nothing works after ``end``."""
    if reason := lacking(training):
        return [Row(NOTE, "left out", reason)]
    store, begun = place.store(training), time.monotonic()
    most = registry.track(training.track).budget.steps
    own = deadline - (THEN if training.then else 0.0)  # the training's end
    steps = training.steps or steps_within(own - begun - START, training.pace, most)
    command = started(training, place, steps, most)
    seen = Seen(0, steps, 0.0)
    first = judged = 0.0
    fixed = training.steps is not None
    while command.process.poll() is None:
        now = time.monotonic()
        if found := PACE.findall(command.look()):
            seen = Seen(int(found[-1][0]), steps, float(found[-1][2]))
            first = first or now
        if not fixed and first and now - first > WATCH and not judged:
            judged = now
            anew = corrected(steps, seen.step, seen.pace, own - now, first - begun, most)
            if anew != steps:
                command.kill()
                shutil.rmtree(store / "partial", ignore_errors=True)
                steps, seen = anew, Seen(0, anew, seen.pace)
                command = started(training, place, steps, most)
        if now > min(deadline + GRACE, end):
            command.kill()
            return [stopped(training, seen, now - begun, store)]
        time.sleep(LOOK)
    status, lines = command.finish()
    result = trained(store)
    if status or result is None:
        return [Row(FAILED, "training", reason_of(lines), details={"steps": steps})]
    rows = [of_training(training, result), of_score(training, result)]
    return rows + then(training, place, result.key)


@dataclass(frozen=True)
class Seen:
    """How far a training has come."""

    step: int
    steps: int
    pace: float  # steps a second


def started(training: Training, place: Place, steps: int, most: int) -> Command:
    """`bench run`; with as many steps as the track gives the run is one of its protocol."""
    own = ["--steps", str(steps)] if steps != most else []
    limit = ["--limit", str(place.limit)] if place.limit else []
    words = [training.track, "-m", training.method, "--jobs", "1", *own, *limit, *place.options]
    return Command(words, place.store(training))


def stopped(training: Training, seen: Seen, seconds: float, store: Path) -> Row:
    kept = [path.parent.name for path in (store / "partial").glob("*/last.ckpt")]
    found = f"at step {seen.step:,} of {seen.steps:,} after {seconds:.0f} s, {seen.pace:.3g} steps/s; "
    found += f"the checkpoint of the run {kept[0][:8]} is kept" if kept else "it had written no checkpoint yet"
    return Row(STOPPED, "training", found, details={"steps": seen.steps, "kept": kept, "track": training.track})


def trained(store: Path) -> Result | None:
    """The newest training of a store that has ended well."""
    results = [Result.read(path / "result.json") for path in (store / "runs").glob("[0-9a-f]*") if finished(path)]
    own = sorted((one for one in results if not one.checkpoint and one.status == "ok"), key=lambda one: one.date)
    return own[-1] if own else None


def then(training: Training, place: Place, key: str) -> list[Row]:
    """The scores of the weights on further tracks."""
    if not training.then:
        return []
    store = place.store(training)
    limit = ["--limit", str(place.limit)] if place.limit else []
    jobs = str(len(training.then))
    words = [*training.then, "-m", training.method, "--checkpoint", key, "--jobs", jobs, *limit]
    status, lines = Command([*words, *(one for one in place.options if one == "--cpu")], store).finish()
    results = [Result.read(path / "result.json") for path in (store / "runs").glob("[0-9a-f]*") if finished(path)]
    scored = {f"{one.task}:{one.track}": one for one in results if one.checkpoint == key}
    rows = [of_score(training, scored[track]) for track in training.then if track in scored]
    missing = [track for track in training.then if track not in scored]
    if status or missing:
        rows.append(Row(FAILED, ", ".join(missing) or "scores", reason_of(lines)))
    return rows


def of_training(training: Training, result: Result) -> Row:
    record = result.training
    steps, seconds = record["steps"], record["seconds"]
    budget = registry.track(training.track).budget.steps
    part = "" if steps == budget else f" of the {budget:,} of the track"
    found = f"{steps:,} steps{part} in {seconds:.0f} s, {steps / seconds:.3g} steps/s with its looks"
    details = {"steps": steps, "seconds": seconds, "key": result.key, "chosen_step": record["chosen_step"]}
    return Row(OK, "training", f"{found}; best on validation at step {record['chosen_step']:,}", details=details)


def of_score(training: Training, result: Result) -> Row:
    track, unit = f"{result.task}:{result.track}", result.metrics[result.primary].unit
    found = f"{result.primary} {result.mean(result.primary):.4g} {unit}".rstrip()
    published = training.published.get(track, "")
    details = {"key": result.key, result.primary: result.mean(result.primary)}
    return Row(OK, track, found, f"published {published}" if published else "", details=details)


def reason_of(lines: Sequence[str]) -> str:
    """The line that tells of a failure."""
    told = [line for line in lines if "FAILED" in line or line.startswith("failed")]
    return (told or list(lines) or ["it ended without a word"])[-1]
