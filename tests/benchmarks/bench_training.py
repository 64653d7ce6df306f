"""What holds a training up? The processor time of a sample, our data against none, Lightning against a bare loop.

A sample of a real track takes a worker's time, and the twelve workers beside a card share the samples. What they need
is compared with the least time in which an H100 trains a U-Net on a sample: that of its kernels (`KERNELS`). What is
done once counts in shares: making a phantom among the samples after which the next one joins, and measuring an image
that each worker measures once among all samples of the training. Tracks whose data are not here are left out.

Lightning's loop is compared with one over PyTorch alone that does the same with the same samples, by the processor time
of their median steps. Looks at validation images, which come between some of them, are no part of either.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from pytorch_lightning import seed_everything

from bench.contract import registry
from bench.contract.construct import build
from bench.contract.task import Problem, Track
from bench.data.manifest import need
from bench.data.measurements import TrainingStream
from bench.errors import BenchError
from bench.evaluation.batches import MOST_WORKERS
from bench.evaluation.train import TrainingData, train
from tests.benchmarks.timing import Row, paired_ratio, threads

SAMPLES = 16
# Seconds of a sample by the task: the kernels of a step (tests/gpu_check/TABLE.md says when) over its batch.
# Those of slices for findings are of two stages; organs were not measured.
KERNELS = {
    "denoising": 5.5e-3 / 128,
    "deblurring": 5.5e-3 / 128,
    "inpainting": 8.0e-3 / 128,
    "mri": 8.2e-3 / 8,
    "ct": 14.0e-3 / 8,
    "qsm": 11.9e-3 / 4,
    "nodules": 3.2e-3 / 16,
    "organs": 3.2e-3 / 16,
}
METHOD, LOOPS, STEPS = "unet", ("denoising:mini", "ct:mini"), 20
ROUNDS = 6


def main() -> list[Row]:
    store = os.environ.get("BENCH_STORE")
    with threads(1), tempfile.TemporaryDirectory() as fresh:
        os.environ["BENCH_STORE"] = fresh  # where no phantom is made yet
        try:
            tracks = [registry.track(name) for name in LOOPS]
            return [
                *map(sample, filter(on_real_data, registry.all_tracks())),
                *map(loop, tracks),
                *map(lightning, tracks),
            ]
        finally:
            os.environ.pop("BENCH_STORE")
            if store is not None:
                os.environ["BENCH_STORE"] = store


def on_real_data(track: Track) -> bool:
    """Whether a track has real data that are here."""
    try:
        for name in track.data:
            need(name)
    except BenchError:
        return False
    return bool(track.data)


def sample(track: Track) -> Row:
    problem = registry.load_task(track.task).open(track)
    stream = TrainingStream(track, problem, 0, 10**6)
    first = stream.name(0)
    images = problem.images["train"]
    same = [index for index in range(10_000) if stream.name(index) == first][:SAMPLES]
    stream[next(i for i in range(1000) if stream.name(i) != first)]  # imports, and first pages
    making = seconds_of(lambda: stream.load(first))
    drawing = seconds_of(lambda: stream[same[0]])
    seconds = seconds_of(lambda: [stream[index] for index in same]) / len(same)
    of_each = len(images) / (track.budget.steps * track.budget.batch)  # of what is done once for an image
    if images.join_every:
        seconds += making / images.join_every
    elif problem.measured_once:
        seconds += making * of_each
    if problem.measured_once:
        seconds += MOST_WORKERS * drawing * of_each
    what = f"{track.id}: {1e3 * seconds:.2g} ms of a processor a training sample, by {MOST_WORKERS} workers / an H100's"
    return what, seconds / MOST_WORKERS / KERNELS[track.task], "at most 1"


def seconds_of(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def loop(track: Track) -> Row:
    """Steps of Adam on samples that are drawn meanwhile, and on the same samples in memory."""
    problem = registry.load_task(track.task).open(track)
    seed_everything(0, verbose=False)
    method: Any = build(registry.load_method(METHOD), track, {})
    data = TrainingData(track, problem, 0, 1, start=track.budget.steps - STEPS)
    optimizer = torch.optim.Adam(method.parameters())

    def train(batches: Iterable[Any]) -> None:
        for batch in batches:
            x, y, physics = data.transfer_batch_to_device(batch, torch.device("cpu"), 0)
            optimizer.zero_grad()
            method.loss(method(y, physics), x).backward()
            optimizer.step()

    drawn = data.share(0)
    memory = list(drawn)
    ratio = paired_ratio(lambda: train(memory), lambda: train(drawn))
    return f"training of {METHOD} on {track.id}: steps per second with our data / in memory", ratio, "at least 0.95"


def lightning(track: Track) -> Row:
    """The referee's training, and a loop over PyTorch alone with the same samples, optimiser, clipping and schedule."""
    track = replace(track, budget=replace(track.budget, steps=STEPS, validation=1))
    problem = registry.load_task(track.task).open(track)
    steps: dict[str, list[float]] = {"ours": [], "bare": []}
    for round_ in range(ROUNDS + 1):  # in the first one phantoms are made
        for name, work in (("ours", train), ("bare", bare)):
            seed_everything(0, verbose=False)
            method: Any = build(registry.load_method(METHOD), track, {})
            begun: list[float] = []
            method.on_train_batch_start = lambda batch, index, begun=begun: begun.append(time.process_time())
            work(method, track, problem, seed=0)
            if round_:
                steps[name] += [after - before for before, after in pairwise(begun)]
    ratio = statistics.median(steps["bare"]) / statistics.median(steps["ours"])
    what = f"training of {METHOD} on {track.id}: steps per second of Lightning's loop / a bare one"
    return what, ratio, "at least 0.97"


def bare(method: Any, track: Track, problem: Problem, seed: int) -> None:
    data = TrainingData(track, problem, seed, 1)
    optimizer = torch.optim.Adam(method.parameters(), lr=method.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / track.budget.steps)
    for index, batch in enumerate(data.share(0)):
        x, y, physics = data.transfer_batch_to_device(batch, torch.device("cpu"), 0)
        method.on_train_batch_start(batch, index)
        optimizer.zero_grad()
        method.loss(method(y, physics), x).backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), method.gradient_clip)
        optimizer.step()
        schedule.step()
