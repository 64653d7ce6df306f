"""One run: tune or fit, evaluate, and write a run directory, whole or not at all."""

from __future__ import annotations

import csv
import json
import math
import os
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import seed_everything

from bench import pictures, provenance, registry
from bench.errors import BenchError
from bench.evaluate import Evaluation, evaluate, mean_score
from bench.fit import Point, fit
from bench.method import Convergent, LearnedMethod, Method
from bench.monitor import Monitor
from bench.privacy import without_folders
from bench.request import Request, build, check_hyperparameters, constructor_defaults, identity, keys, requested_track
from bench.results import Result
from bench.samples import Measured, collate, to_device
from bench.store import runs, whole_directory
from bench.task import Problem, Track
from bench.tune import Trial, best, defaults, tune

Report = Callable[[str], None]


@dataclass
class Outcome:
    """What a run has found so far; a failure keeps what came before it."""

    status: str = "ok"
    reason: str = ""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    trials: Sequence[Trial] = ()
    training: dict[str, Any] = field(default_factory=dict)
    curves: list[Point] = field(default_factory=list)
    evaluation: Evaluation | None = None
    pictures: Sequence[pictures.Picture] = ()
    parameters: int = 0
    peak_memory: int | None = None
    splits: dict[str, int] = field(default_factory=dict)
    traceback: str = ""


def is_first_process() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def run(request: Request, report: Report = lambda stage: None) -> Path:
    """Do one run in this process and return its directory. What fails is a directory too, with the reason in it."""
    track = requested_track(request)
    method = registry.load_method(request.method)
    configuration = identity(request, method, track)
    target = runs() / keys(configuration)[0]
    with whole_directory(target) as directory:
        perform(request, directory, report)
    return target


def perform(request: Request, directory: Path, report: Report) -> None:
    """Do one run and fill ``directory``; on further processes of the same run only take part."""
    start = time.perf_counter()
    track = requested_track(request)
    method = registry.load_method(request.method)
    outcome = Outcome()
    with Monitor() as monitor:
        try:
            check_hyperparameters(request.method, method, track, request.hyperparameters)
            reason = method.supports(track)
            if reason:
                outcome.status, outcome.reason = "unsupported", reason
            else:
                compete(request, track, method, directory, outcome, monitor, report)
        except (Exception, SystemExit) as error:
            outcome.status, outcome.reason = "failed", one_line(error)
            outcome.traceback = without_folders(traceback.format_exc())
            share_failure(directory, outcome, error)
    outcome.curves += monitor.curves
    if is_first_process():
        write(request, track, method, directory, outcome, time.perf_counter() - start)


def share_failure(directory: Path, outcome: Outcome, error: BaseException) -> None:
    """Of several processes the one that broke knows why; to the first it is a connection that closed."""
    note = directory / "failure.json"
    if not is_first_process():
        note.write_text(json.dumps([outcome.reason, outcome.traceback]))
    elif note.exists():
        if not isinstance(error, BenchError):
            outcome.reason, outcome.traceback = json.loads(note.read_text())
        note.unlink()


def one_line(error: BaseException) -> str:
    text = without_folders(" ".join(str(error).split()))
    if isinstance(error, BenchError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def compete(
    request: Request,
    track: Track,
    method_class: type[Method],
    directory: Path,
    outcome: Outcome,
    monitor: Monitor,
    report: Report,
) -> None:
    """Choose the method's hyperparameters or weights, then evaluate it once on the test split."""
    seed_everything(request.seed, workers=True, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report("opening data")
        problem = registry.load_task(track.task).open(track)
        outcome.splits = {split: len(images) for split, images in problem.images.items()}
        outcome.hyperparameters = choose(request, track, problem, method_class, directory, outcome, report)
        seed_everything(request.seed, workers=True, verbose=False)
        method = build(method_class, track, outcome.hyperparameters)
        if isinstance(method, LearnedMethod):
            checkpoint = directory / "checkpoint.ckpt"
            outcome.training, curves = fit(
                method,
                track,
                problem,
                seed=request.seed,
                accelerator=request.accelerator,
                devices=request.devices,
                checkpoint=checkpoint,
                report=report,
            )
            outcome.curves += curves
        outcome.parameters = sum(p.numel() for p in method.parameters() if p.requires_grad)
        monitor.reset_peak()
        outcome.evaluation, outcome.pictures = evaluate(
            method,
            track,
            problem,
            accelerator=request.accelerator,
            devices=request.devices,
            limit=request.limit,
            report=report,
        )
        outcome.peak_memory = monitor.peak_memory()
        if is_first_process():
            report("objective per iteration")
            outcome.curves += convergence(method, track, problem, torch.device(request.accelerator), report)


def convergence(method: Method, track: Track, problem: Problem, device: torch.device, report: Report) -> list[Point]:
    """The objective per iteration on the first test image, of a method that tells it."""
    if not isinstance(method, Convergent):
        return []
    _, _, y, params = collate([Measured(track, problem, "test", 1)[0]])
    physics = problem.physics(to_device(params, device), device)
    try:
        with torch.no_grad():
            values = method.to(device).convergence(y.to(device), physics)
    except Exception as error:  # the run is done: its scores are not lost with a curve
        report(f"no curve of the objective: {one_line(error)}")
        return []
    steps = enumerate(values, 1)
    return [Point("objective", step, time.time(), value) for step, value in steps if math.isfinite(value)]


def choose(
    request: Request,
    track: Track,
    problem: Problem,
    method: type[Method],
    directory: Path,
    outcome: Outcome,
    report: Report,
) -> dict[str, Any]:
    """The hyperparameters to use: those requested, the rest tuned by the first process and read by the others."""
    space = {name: values for name, values in method.space(track).items() if name not in request.hyperparameters}
    if not space:
        return dict(request.hyperparameters)
    if method.learned:
        raise BenchError(
            f"{request.method} learns and has a search space: a method that learns has one declared recipe."
        )
    chosen = directory / "chosen.json"
    if not is_first_process():
        return json.loads(chosen.read_text())
    device = torch.device(request.accelerator)
    data = Measured(track, problem, "val", track.budget.images, keep=True)

    def objective(hyperparameters: dict[str, Any]) -> float:
        candidate = build(method, track, {**request.hyperparameters, **hyperparameters}).to(device)
        return mean_score(candidate, track, data, range(len(data)), device)

    maximise = track.primary.higher_is_better
    outcome.trials = tune(
        objective,
        space,
        defaults(method, space),
        trials=track.budget.trials,
        maximise=maximise,
        seed=request.seed,
        report=report,
    )
    tuned = {**request.hyperparameters, **best(outcome.trials, maximise).hyperparameters}
    chosen.write_text(json.dumps(tuned))
    return tuned


def write(
    request: Request, track: Track, method: type[Method], directory: Path, outcome: Outcome, seconds: float
) -> None:
    """Fill the run directory with the result and all that stands behind it."""
    configuration = identity(request, method, track)
    result = make_result(request, track, configuration, outcome, seconds)
    (directory / "chosen.json").unlink(missing_ok=True)
    (directory / "result.json").write_text(result.to_json(), encoding="utf-8")
    declared = {
        "name": track.id,
        "splits": outcome.splits,
        "fingerprint": track.fingerprint(),
        "data": list(track.data),
    }
    documents = {
        "config.json": {**configuration, "request": asdict(request)},
        "environment.json": result.environment,
        "trials.json": [asdict(trial) for trial in outcome.trials],
        "data.json": declared,
    }
    for name, document in documents.items():
        text = without_folders(json.dumps(document, indent=1, default=str))
        (directory / name).write_text(text + "\n", encoding="utf-8")
    write_curves(directory / "curves.csv", [p for p in outcome.curves if not p.name.startswith("system/")])
    write_curves(directory / "system.csv", [p for p in outcome.curves if p.name.startswith("system/")])
    if outcome.evaluation is not None:
        names = [metric.name for metric in track.metrics]
        with (directory / "per_image.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(["id", *names])
            for image, scores in outcome.evaluation.per_image.items():
                table.writerow([image, *(scores[name] for name in names)])
    if outcome.pictures:
        (directory / "pictures").mkdir()
    for picture in outcome.pictures:
        pictures.save(picture, directory / "pictures" / f"{picture.id}.png")
    if outcome.traceback:
        (directory / "traceback.txt").write_text(outcome.traceback, encoding="utf-8")


def write_curves(path: Path, points: Sequence[Point]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "step", "time", "value"])
        table.writerows([point.name, point.step, point.time, point.value] for point in points)


def make_result(
    request: Request, track: Track, configuration: dict[str, Any], outcome: Outcome, seconds: float
) -> Result:
    """The record of a run, from what it was asked and what came out."""
    key, group = keys(configuration)
    file = registry.method_file(request.method)
    commit, dirty = provenance.commit()
    evaluation = outcome.evaluation if outcome.status == "ok" else None
    used = {**constructor_defaults(registry.load_method(request.method)), **outcome.hyperparameters}
    tuning = {}
    if outcome.trials:
        tuning = {
            "trials": len(outcome.trials),
            "images": track.budget.images,
            "seconds": round(sum(trial.seconds for trial in outcome.trials), 3),
        }
    return Result(
        key=key,
        group=group,
        task=track.task,
        track=track.name,
        task_version=track.version,
        method=file.name,
        family=file.family,
        label=request.board_label,
        protocol=request.protocol,
        seed=request.seed,
        seeds=list(request.seeds),
        status=outcome.status,
        reason=outcome.reason,
        primary=track.primary.name,
        metrics={m.name: {"higher_is_better": m.higher_is_better, "unit": m.unit} for m in track.metrics},
        per_image=evaluation.per_image if evaluation else {},
        requested=dict(request.hyperparameters),
        hyperparameters=used,
        tuning=tuning,
        training=outcome.training,
        parameters=outcome.parameters,
        seconds_per_image=evaluation.seconds_per_image if evaluation else None,
        peak_memory_bytes=outcome.peak_memory,
        device=provenance.device_name(request.accelerator),
        devices=request.devices,
        environment=provenance.environment(request.accelerator),
        data_hash=evaluation.data_hash if evaluation else "",
        commit=commit,
        dirty=dirty,
        command=without_folders(request.command),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        limit=request.limit,
    )
