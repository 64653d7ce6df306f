"""One run: tune or train, evaluate, and fill a run directory."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import seed_everything

from bench.contract import registry
from bench.contract.construct import build, check_space, constructor_defaults
from bench.contract.determinism import deterministic
from bench.contract.method import LearnedMethod, Method
from bench.contract.space import at_edge
from bench.contract.task import Problem, Track
from bench.data import sizes
from bench.data.measurements import Measured
from bench.data.weights import is_hash
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint, Look
from bench.evaluation.evaluate import evaluate, mean_score
from bench.evaluation.objective_and_atoms import curve_and_atoms, offered
from bench.evaluation.partial import WholeFile
from bench.evaluation.resources import Monitor
from bench.evaluation.scores import curves_of_set
from bench.evaluation.train import Computing, train
from bench.evaluation.tune import Trial, best, tune
from bench.places import partial, runs
from bench.runs import checkpoints, provenance
from bench.runs.outcomes import Outcome, one_line, plain, track_of, where
from bench.runs.privacy import without_folders
from bench.runs.run_directory import CHOSEN, FAILURE, add_look, chosen_by_the_first, write, write_whole
from bench.runs.spec import Spec, computing, load

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


def share_failure(directory: Path, outcome: Outcome, error: BaseException) -> None:
    """Of several processes the one that broke knows why; the first sees only a connection that closed."""
    note = directory / FAILURE
    if not is_first_process():
        write_whole(note, json.dumps([outcome.reason, outcome.traceback]))
    elif note.exists() and not isinstance(error, BenchError):
        outcome.reason, outcome.traceback = json.loads(note.read_text())


def tune_train_evaluate(
    spec: Spec, method_class: type[Method], directory: Path, outcome: Outcome, report: Report, point: Receive
) -> Callable[[Path], None] | None:
    """Choose the method's hyperparameters or weights, then evaluate it once on the test split.

    Returns the look inside, as `perform` does.
    """
    track = track_of(spec)
    seed_everything(spec.seed, workers=True, verbose=False)
    deterministic()
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
        inner: dict[str, Method] = {}
        if spec.method.inner and not spec.checkpoint and method_class.prepares_inner(spec.hyperparameters):
            inner = ready_inner(spec, track.of_images(), problem, directory, outcome, deadline, report, point)
        chosen = choose(
            spec, track, problem, method_class, spec.hyperparameters, directory, outcome, deadline, report, point
        )
        inner_names = {argument: registry.method_file(name).name for argument, name in spec.method.inner.items()}
        outcome.hyperparameters = {**constructor_defaults(method_class), **chosen, **inner_names}
        seed_everything(spec.seed, workers=True, verbose=False)
        if spec.checkpoint:
            chosen = checkpoints.published_settings(method_class, spec.checkpoint, chosen)
            outcome.hyperparameters |= chosen
        weights = directory / checkpoints.CHECKPOINT
        if spec.checkpoint:
            method = checkpoints.remade(method_class, track, spec.checkpoint, chosen, spec.method.inner.values())
            outcome.training = checkpoints.restore(method, track, spec.checkpoint)
            if is_first_process() and not is_hash(spec.checkpoint):
                shutil.copyfile(runs() / spec.checkpoint / checkpoints.CHECKPOINT, weights)
        else:
            method = build(method_class, track, {**spec.method.inner, **chosen, **inner})
            if isinstance(method, LearnedMethod):
                kept = partial(spec.key)
                outcome.training |= fit(method, spec, track, problem, outcome, kept, report, point, checkpoint=weights)
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
        outcome.curves += curves_of_set(track, list(outcome.evaluation.records.values()))
    if not offered(method):
        return None
    device = torch.device(spec.accelerator)
    return lambda run_dir: add_look(run_dir, *curve_and_atoms(method, track, problem, device, report))


def fit(
    method: LearnedMethod,
    spec: Spec,
    track: Track,
    problem: Problem,
    outcome: Outcome,
    kept: Path,
    report: Report,
    point: Receive,
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Train a method by the spec and return the record of it; its curves go to the outcome."""
    record, curves = train(
        method,
        track,
        problem,
        seed=spec.seed,
        accelerator=spec.accelerator,
        devices=spec.devices,
        checkpoint=checkpoint,
        partial=kept,
        owner=checkpoints.owner_of(spec, kept),
        computing=Computing(**computing(spec)),
        report=report,
        point=point,
    )
    outcome.curves += curves
    return record


def ready_inner(
    spec: Spec,
    track: Track,
    problem: Problem,
    directory: Path,
    outcome: Outcome,
    deadline: float,
    report: Report,
    point: Receive,
) -> dict[str, Method]:
    """The inner method by the argument that takes it, tuned or trained on images by the budget of the track.

    The ``track`` is of images alone. A ready method is kept in the cache, for this run when it is interrupted later
    and for others that ask for the same one. Its record joins the record of the training, its curves the run's.
    """
    ((argument, reference),) = spec.method.inner.items()
    name, method_class = registry.method_file(reference).name, registry.load_method(reference)
    kept = checkpoints.place_of_inner(spec, name, track)
    own = Outcome()

    def told(stage: str) -> None:
        report(f"{name}: {stage}")

    def received(one: CurvePoint | Trial | Look) -> None:
        if not isinstance(one, Look):  # pictures are of the method that the run is of
            point(one._replace(name=f"{name}/{one.name}") if isinstance(one, CurvePoint) else one)

    try:
        found = WholeFile().load_checkpoint(kept)
    except (OSError, ValueError):
        chosen = choose(spec, track, problem, method_class, {}, directory, own, deadline, told, received)
        seed_everything(spec.seed, workers=True, verbose=False)
        method = build(method_class, track, chosen)
        record: dict[str, Any] = {"method": name, "hyperparameters": chosen, "at_edge": own.at_edge}
        record |= {"trials": len(own.trials), "images": own.tuned_on} if own.trials else {}
        record["made_by"] = spec.key
        if isinstance(method, LearnedMethod):
            folder = partial(spec.key) / checkpoints.INNER
            record |= fit(method, spec, track, problem, own, folder, told, received)
        curves = [list(one._replace(name=f"{name}/{one.name}")) for one in own.curves]
        found = {"record": plain(record), "weights": method.state_dict(), "curves": curves}
        if is_first_process():
            with suppress(OSError):  # a cache that can't be written costs time, not the run
                WholeFile().save_checkpoint(found, kept)
    outcome.training = {checkpoints.INNER: found["record"]}
    outcome.curves += [CurvePoint(*one) for one in found["curves"]]
    method = build(method_class, track, found["record"]["hyperparameters"])
    method.load_state_dict(found["weights"])
    return {argument: method}


def choose(
    spec: Spec,
    track: Track,
    problem: Problem,
    method: type[Method],
    requested: Mapping[str, Any],
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
    space = {name: values for name, values in check_space(method, track).items() if name not in requested}
    start = {name: value for name, value in method.defaults(track).items() if name in space}
    if not space or spec.control == "defaults":
        return {**start, **requested}
    shared = directory / CHOSEN
    if not is_first_process():
        return chosen_by_the_first(shared, deadline)
    device = torch.device(spec.accelerator)
    split = "test" if spec.control == "oracle" else "val"
    data = Measured(track, problem, split, None if spec.control == "oracle" else track.budget.images, keep=True)

    def objective(hyperparameters: dict[str, Any]) -> float:
        until = min(deadline, time.monotonic() + TRIAL_SHARE * track.budget.seconds)
        candidate = build(method, track, {**requested, **hyperparameters}).to(device)
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
    tuned = {**requested, **found}
    write_whole(shared, json.dumps(tuned))
    return tuned
