"""One run: tune or fit, evaluate, and write a run directory, whole or not at all."""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import shutil
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import seed_everything

from bench.contract import registry
from bench.contract.method import Convergent, HasAtoms, LearnedMethod, Method
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, to_device
from bench.errors import BenchError
from bench.evaluation.evaluate import evaluate, mean_score
from bench.evaluation.resources import Monitor
from bench.evaluation.train import Point, fit
from bench.evaluation.tune import best, tune
from bench.runs import checkpoints as learned
from bench.runs.privacy import without_folders
from bench.runs.records import outcome_directory
from bench.runs.run_directory import Outcome, write
from bench.runs.spec import Request, build, check_hyperparameters, identity, keys, requested_track
from bench.runs.store import runs

Report = Callable[[str], None]

NAME = re.compile(r"(?!file$|allow_pickle$)[\w .-]+")  # part of a file's, and no argument of numpy.savez


def is_first_process() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def run(request: Request, report: Report = lambda stage: None) -> Path:
    """Do one run in this process and return its directory. What fails is a directory too, with the reason in it."""
    track = requested_track(request)
    method = registry.load_method(request.method)
    configuration = identity(request, method, track)
    target = runs() / keys(configuration)[0]
    with outcome_directory(target) as directory:
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
            outcome.status, outcome.reason = "failed", one_line(error) + place(error, method)
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


def place(error: BaseException, method: type[Method]) -> str:
    """Where in the method's own file an error arose that is not ours; "" elsewhere."""
    file = inspect.getfile(method)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(file).name}, line {lines[-1]})" if lines and not isinstance(error, BenchError) else ""


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
        checkpoint = directory / learned.CHECKPOINT
        if request.learned:
            outcome.training = learned.restore(method, track, request.learned)
            if is_first_process():
                shutil.copyfile(runs() / request.learned / learned.CHECKPOINT, checkpoint)
        elif isinstance(method, LearnedMethod):
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
            look_inside(method, track, problem, torch.device(request.accelerator), outcome, report)


def look_inside(
    method: Method, track: Track, problem: Problem, device: torch.device, outcome: Outcome, report: Report
) -> None:
    """On the first test image: the objective per iteration and what was learned, of a method that tells them."""
    if not isinstance(method, Convergent | HasAtoms):
        return
    _, _, y, params = collate([Measured(track, problem, "test", 1)[0]])
    y, physics = y.to(device), problem.physics(to_device(params, device), device)
    try:
        with torch.no_grad():
            if isinstance(method, Convergent):
                report("objective per iteration")
                values = enumerate(method.to(device).convergence(y, physics), 1)
                curve = [Point("objective", step, time.time(), value) for step, value in values if math.isfinite(value)]
                outcome.curves += curve
            if isinstance(method, HasAtoms):
                report("what was learned")
                found = method.to(device).atoms(y, physics)
                for name, atoms in found.items():
                    if not NAME.fullmatch(name):
                        raise BenchError(f"the atoms {name!r} need a name of letters, digits, spaces, '-', '_' or '.'.")
                    if atoms.ndim != 3 or not atoms.numel():
                        raise BenchError(f"the atoms {name!r} have the shape {tuple(atoms.shape)}, expected (N, h, w).")
                outcome.atoms = {name: atoms.detach().cpu() for name, atoms in found.items()}
    except Exception as error:  # the run is done: its scores are not lost with a curve or a picture
        report(f"no look inside the method: {one_line(error)}")


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
        {name: value for name, value in method.defaults(track).items() if name in space},
        trials=track.budget.trials,
        maximise=maximise,
        seed=request.seed,
        report=report,
    )
    tuned = {**request.hyperparameters, **best(outcome.trials, maximise).hyperparameters}
    chosen.write_text(json.dumps(tuned))
    return tuned
