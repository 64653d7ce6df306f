"""One run: tune or train, evaluate, and fill a run directory."""

from __future__ import annotations

import inspect
import json
import math
import os
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
from bench.contract.construct import build, check_space, constructor_defaults
from bench.contract.method import LearnedMethod, Method
from bench.contract.reads import Watch
from bench.contract.space import at_edge
from bench.contract.task import Problem, Track
from bench.data import sizes
from bench.data.measurements import Measured
from bench.data.weights import is_hash
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint, Look
from bench.evaluation.evaluate import evaluate, mean_score
from bench.evaluation.objective_and_atoms import curve_and_atoms, offered
from bench.evaluation.resources import Monitor
from bench.evaluation.train import Computing, train
from bench.evaluation.tune import Trial, best, tune
from bench.places import partial, runs
from bench.runs import checkpoints, key, provenance
from bench.runs.outcomes import Outcome, track_of
from bench.runs.privacy import without_folders
from bench.runs.run_directory import CHOSEN, FAILURE, RESULT, add_look, write
from bench.runs.spec import Spec, computing

Report = Callable[[str], None]
Receive = Callable[[CurvePoint | Trial | Look], None]

TRIAL_SHARE = 0.25  # of the time of a run that one trial may take; a longer one has failed, the others go on


def is_first_process() -> bool:
    """Whether this is the process that writes: a run on several devices has one process on each."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def perform(
    spec: Spec, directory: Path, report: Report = lambda stage: None, point: Receive = lambda point: None
) -> Callable[[Path], None] | None:
    """Do one run and fill ``directory``; on further processes of the same run only take part.

    Each stage is given to ``report``, and each point of a curve of the training or of the machine to ``point``, when
    it is there, and so are trials and pictures of the training. A failure of the method is an outcome too, with its
    reason in the result.

    Returns a function that looks inside a method that offers it and adds what it shows to the whole run directory.
    The scores are safe by then, whatever the method does.
    """
    look = None
    start = time.perf_counter()
    outcome = Outcome(device=provenance.device_name(spec.accelerator))
    with Monitor(point) as monitor:
        try:
            method, watch = load(spec)
            if spec.method.unsupported:
                outcome.status, outcome.reason = "unsupported", spec.method.unsupported
            else:
                try:
                    look = tune_train_evaluate(spec, method, directory, outcome, report, point)
                finally:
                    if watch is not None:
                        watch.check()  # the method, or the search, may have caught the first error
        except (Exception, SystemExit) as error:
            outcome.status, outcome.reason = "failed", one_line(error) + where(error, spec)
            outcome.traceback = without_folders(traceback.format_exc())
            share_failure(directory, outcome, error)
    outcome.curves += monitor.curves
    if not is_first_process():
        return None
    write(spec, directory, outcome, time.perf_counter() - start)
    return look if outcome.status == "ok" else None


def load(spec: Spec) -> tuple[type[Method], Watch | None]:
    """The method of a spec, and a watch on the files that it opens.

    Raises `BenchError` where its files, or its track, are no longer what the spec froze.
    """
    reference = spec.method.reference
    folder = registry.method_folder(reference)
    watch = Watch(folder) if folder is not None else None
    method = registry.load_method(reference)
    folder = folder or Path(inspect.getfile(method)).parent
    files = {name: provenance.source_path(name, folder) for name in spec.method.sources}
    for name, path in files.items():
        if provenance.file_hash(path) != spec.method.sources[name]:
            raise BenchError(f"{name} was edited after the command had started. Type the command again.")
    if watch is not None:
        watch.settle(files.values())
    track = registry.track(spec.track)
    if (
        key.scored(track, spec.method.learned) != spec.scored
        or provenance.task_sources(track.task) != spec.task_sources
    ):
        raise BenchError(f"the track {spec.track} was edited after the command had started. Type the command again.")
    return method, watch


def share_failure(directory: Path, outcome: Outcome, error: BaseException) -> None:
    """Of several processes the one that broke knows why; the first sees only a connection that closed."""
    note = directory / FAILURE
    if not is_first_process():
        write_whole(note, json.dumps([outcome.reason, outcome.traceback]))
    elif note.exists() and not isinstance(error, BenchError):
        outcome.reason, outcome.traceback = json.loads(note.read_text())


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


def tune_train_evaluate(
    spec: Spec, method_class: type[Method], directory: Path, outcome: Outcome, report: Report, point: Receive
) -> Callable[[Path], None] | None:
    """Choose the method's hyperparameters or weights, then evaluate it once on the test split.

    Returns the look inside, as `perform` does.
    """
    track = track_of(spec)
    seed_everything(spec.seed, workers=True, verbose=False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("once")
        outcome.warnings = raised
        report("opening data")
        problem = registry.load_task(track.task).open(track)
        outcome.splits = {split: len(images) for split, images in problem.images.items()}
        if is_first_process():
            sizes.keep(track, problem)
        images = min(spec.limit or math.inf, outcome.splits["test"])
        if spec.devices > images:
            raise BenchError(f"{spec.devices} devices cannot share {images} test images. Ask for fewer by --devices.")
        deadline = time.monotonic() + track.budget.seconds
        chosen = choose(spec, track, problem, method_class, directory, outcome, deadline, report, point)
        outcome.hyperparameters = {**constructor_defaults(method_class), **chosen}
        seed_everything(spec.seed, workers=True, verbose=False)
        if spec.checkpoint:
            chosen = checkpoints.published_settings(method_class, spec.checkpoint, chosen)
            outcome.hyperparameters |= chosen
        method = build(method_class, track, chosen)
        weights = directory / checkpoints.CHECKPOINT
        if spec.checkpoint:
            outcome.training = checkpoints.restore(method, track, spec.checkpoint)
            if is_first_process() and not is_hash(spec.checkpoint):
                shutil.copyfile(runs() / spec.checkpoint / checkpoints.CHECKPOINT, weights)
        elif isinstance(method, LearnedMethod):
            outcome.training, curves = train(
                method,
                track,
                problem,
                seed=spec.seed,
                accelerator=spec.accelerator,
                devices=spec.devices,
                checkpoint=weights,
                partial=partial(spec.key),
                computing=Computing(**computing(spec)),
                report=report,
                point=point,
            )
            outcome.curves += curves
        outcome.parameters = sum(p.numel() for p in method.parameters() if p.requires_grad)
        outcome.evaluation, outcome.pictures = evaluate(
            method,
            track,
            problem,
            accelerator=spec.accelerator,
            devices=spec.devices,
            limit=spec.limit,
            seed=spec.seed,
            report=report,
        )
    if not offered(method):
        return None
    device = torch.device(spec.accelerator)
    return lambda run_dir: add_look(run_dir, *curve_and_atoms(method, track, problem, device, report))


def choose(
    spec: Spec,
    track: Track,
    problem: Problem,
    method: type[Method],
    directory: Path,
    outcome: Outcome,
    deadline: float,
    report: Report,
    point: Receive,
) -> dict[str, Any]:
    """The hyperparameters to use: the requested ones, the rest tuned by the first process and read by the others.

    A ``defaults`` control is not tuned; an ``oracle`` control is tuned on all of the test split, in as many trials. The
    time of a trial is looked at between its images: a single image that hangs costs the run.
    """
    space = {name: values for name, values in check_space(method, track).items() if name not in spec.hyperparameters}
    start = {name: value for name, value in method.defaults(track).items() if name in space}
    if not space or spec.control == "defaults":
        return {**start, **spec.hyperparameters}
    shared = directory / CHOSEN
    if not is_first_process():
        return chosen_by_the_first(shared, deadline)
    device = torch.device(spec.accelerator)
    split = "test" if spec.control == "oracle" else "val"
    data = Measured(track, problem, split, None if spec.control == "oracle" else track.budget.images, keep=True)

    def objective(hyperparameters: dict[str, Any]) -> float:
        until = min(deadline, time.monotonic() + TRIAL_SHARE * track.budget.seconds)
        candidate = build(method, track, {**spec.hyperparameters, **hyperparameters}).to(device)
        return mean_score(candidate, track, data, range(len(data)), device, seed=spec.seed, deadline=until)

    maximise = track.primary.higher_is_better
    outcome.trials = tune(
        objective,
        space,
        start,
        trials=track.budget.trials,
        maximise=maximise,
        seed=spec.seed,
        deadline=deadline,
        report=report,
        ended=point,
    )
    outcome.tuned_on = len(data)
    found = best(outcome.trials, maximise).hyperparameters
    outcome.at_edge = sorted(name for name, values in space.items() if at_edge(found[name], values))
    tuned = {**spec.hyperparameters, **found}
    write_whole(shared, json.dumps(tuned))
    return tuned


def chosen_by_the_first(shared: Path, deadline: float) -> dict[str, Any]:
    """The hyperparameters that the first process of a run has chosen; waits while it tunes."""
    while not shared.exists():
        if time.monotonic() > deadline or (shared.parent / RESULT).exists():
            raise BenchError("the first process of the run has chosen no hyperparameters.")
        time.sleep(0.1)
    return json.loads(shared.read_text(encoding="utf-8"))


def write_whole(path: Path, text: str) -> None:
    """Write a file that another process waits for: it never sees a part of it."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
