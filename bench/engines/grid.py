"""Many runs: expand what was asked, skip what is done, and fan out over processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.contract import registry
from bench.data import manifest as data
from bench.engines.local import Job, Pool, Say, log, threads
from bench.errors import BenchError
from bench.runs.checkpoints import find
from bench.runs.records import finished
from bench.runs.spec import Request, check_hyperparameters, identity, keys, parse_method, requested_track
from bench.runs.store import clear_scratch, open_runs, runs, store
from bench.tracking import mlflow as tracking


def prepare(*, cpu: bool) -> str:
    """Import what every run needs, once, before forking; returns the accelerator to use."""
    import optuna  # noqa: F401

    import bench.runs.run  # noqa: F401
    from bench.runs import provenance

    threads()
    tracking.preload()
    return "cpu" if cpu else provenance.accelerator()


def default_jobs(accelerator: str, devices: int) -> int:
    """As many runs at a time as there are GPUs, or processors, for them."""
    return max(1, available(accelerator) // devices // (1 if accelerator == "cuda" else threads()))


def available(accelerator: str) -> int:
    """How many GPUs, or processors, there are."""
    import torch

    return torch.cuda.device_count() if accelerator == "cuda" else len(os.sched_getaffinity(0))


def check_devices(devices: int, accelerator: str) -> None:
    """Raise a `BenchError` where one run asks for more than there are."""
    if devices > available(accelerator):
        kind = "GPUs" if accelerator == "cuda" else "processors"
        raise BenchError(
            f"--devices {devices}: this machine has {available(accelerator)} {kind}. Ask for at most that."
        )


def expand(
    tracks: Sequence[str],
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    limit: int | None = None,
    steps: int | None = None,
    label: str = "",
    devices: int = 1,
    accelerator: str = "cpu",
    learned: str | None = None,
) -> list[Request]:
    """All requests of a command line. A wrong name raises a `BenchError` before anything runs."""
    requests = []
    seeds = tuple(dict.fromkeys(seeds))
    for track in registry.select_tracks(tracks):
        for text in methods:
            name, hyperparameters = parse_method(text)
            file = registry.method_file(name)
            request = Request(track.id, name, hyperparameters, 0, seeds, limit, steps, label, devices, accelerator)
            if learned is not None:
                request = replace(request, learned=find(learned, file.name))
            requests += [replace(request, seed=seed) for seed in seeds]
    return requests


def plan(requests: Sequence[Request], say: Say) -> tuple[list[Job], int]:
    """One job per key; a method that cannot be imported fails alone. Returns the jobs and the number of failures."""
    jobs: dict[str, Job] = {}
    failures, broken = 0, set()
    for request in requests:
        if request.method in broken or request.track in broken:
            continue
        try:
            for name in registry.track(request.track).data:
                data.need(name)  # what is missing is no fault of a method
        except BenchError as error:
            say(f"failed  {request.track}: {error}")
            broken.add(request.track)
            failures += 1
            continue
        try:
            method = registry.load_method(request.method)
        except BenchError as error:
            say(f"failed  {request.method}: {error}")
            broken.add(request.method)
            failures += 1
            continue
        if not method.learned or request.learned:
            request = replace(request, steps=None)
        track = requested_track(request)
        check_hyperparameters(request.method, method, track, request.hyperparameters)
        key, _ = keys(identity(request, method, track))
        jobs[key] = Job(request, runs() / key, method.learned)
    return list(jobs.values()), failures


def run_grid(requests: Sequence[Request], *, jobs: int, force: bool = False, say: Say = print) -> int:
    """Run what is not finished, ``jobs`` at a time. Returns the number of runs that failed."""
    for folder in (open_runs(), store() / "cache"):
        clear_scratch(folder)
    planned, failures = plan(requests, say)
    pending = [job for job in planned if force or not finished(job.target)]
    done = len(planned) - len(pending)
    if done:
        say(f"{done} of {len(planned)} done, {len(pending)} to go")
    track_again([job.target for job in planned if job not in pending], say)
    # Longest first: what learns starts while there is other work to fill the gaps.
    pending.sort(key=lambda job: not job.learned)
    try:
        return failures + Pool(pending, jobs, say).work()
    finally:
        clear_scratch(runs())  # of runs that crashed or were stopped


def track_again(targets: Sequence[Path], say: Say) -> None:
    """Log what an earlier call finished but could not log."""
    if not tracking.available():
        return
    for target in targets:
        if not tracking.tracked(target):
            log(target, say)
