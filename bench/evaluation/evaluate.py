"""The referee's evaluation: a method is given y and its physics, never x; every image is scored and kept."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from bench.contract import registry
from bench.contract.method import Estimate, Method
from bench.contract.operators import direct
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, digest, to_device
from bench.errors import BenchError
from bench.evaluation.pictures import Picture
from bench.evaluation.processes import gather, trainer

Report = Callable[[str], None]

# A single test image is timed a second time, its first pass being the warm-up, unless that takes longer than this.
WARM_UP_SECONDS = 5.0

PICTURES = 4  # the first test images are kept as pictures


@dataclass(frozen=True)
class Row:
    """What evaluation keeps of one image."""

    index: int
    id: str
    scores: dict[str, float]
    seconds: float
    data_hash: str


@dataclass(frozen=True)
class Evaluation:
    """The outcome on a test set, in the order of its images."""

    per_image: dict[str, dict[str, float]]
    seconds_per_image: float
    data_hash: str


def reconstruct(method: Method, y: Tensor, physics: LinearPhysics, shape: Sequence[int], name: str) -> Tensor:
    """The method's image of ``y``, checked against the contract; a breach is one line that names the image."""
    estimate = method(y, physics)
    image = estimate.image if isinstance(estimate, Estimate) else estimate
    if not isinstance(image, Tensor):
        raise BenchError(f"on image {name} the method returned {type(image).__name__}, expected a tensor.")
    if image.shape != torch.Size(shape):
        raise BenchError(f"on image {name} the method returned shape {tuple(image.shape)}, expected {tuple(shape)}.")
    if image.dtype != y.dtype or image.device != y.device:
        raise BenchError(
            f"on image {name} the method returned {image.dtype} on {image.device}, expected {y.dtype} on {y.device}."
        )
    if not bool(torch.isfinite(image).all()):
        raise BenchError(f"on image {name} the method returned NaN or infinite values.")
    return image


def scorer(track: Track) -> Callable[[str, Tensor, Tensor, dict[str, Tensor]], dict[str, float]]:
    """All metrics of a track as one function of ``(image id, x_hat, x, params)``."""
    functions = [(metric, registry.resolve(metric.function)) for metric in track.metrics]

    def score(name: str, x_hat: Tensor, x: Tensor, params: dict[str, Tensor]) -> dict[str, float]:
        x_hat = x_hat.to("cpu", torch.float64)
        scores = {metric.name: float(f(x_hat, x, params, **metric.options)) for metric, f in functions}
        for metric_name, value in scores.items():
            if not math.isfinite(value):
                raise BenchError(f"the {metric_name} of image {name} is {value}, which cannot be averaged.")
        return scores

    return score


def mean_score(method: Method, track: Track, data: Measured, indices: Sequence[int], device: torch.device) -> float:
    """The mean of the primary metric over some images of a split, outside of any Trainer (tuning, validation)."""
    score = scorer(track)
    rows = []
    was_training = method.training
    method.eval()
    with torch.no_grad():
        for index in indices:
            (name,), x, y, params = collate([data[index]])
            physics = data.problem.physics(to_device(params, device), device)
            x_hat = reconstruct(method, y.to(device), physics, x.shape, name)
            rows.append((index, score(name, x_hat, x, params)[track.primary.name]))
    method.train(was_training)
    scores = [value for _, value in sorted(gather(rows))]
    return math.fsum(scores) / len(scores)


class Referee(LightningModule):
    """Runs a method over a test set inside a Trainer. Physics and y reach the method; x stays here, on the CPU."""

    def __init__(self, method: Method, track: Track, problem: Problem, total: int, report: Report) -> None:
        super().__init__()
        self.method = method
        self.problem = problem
        self.score = scorer(track)
        self.total = total
        self.report = report
        self.rows: list[Row] = []
        self.pictures: list[Picture] = []

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        index, (ids, x, y, params) = batch
        return index, ids[0], x, y.to(device), params, self.problem.physics(to_device(params, device), device)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        index, name, x, y, params, physics = batch
        x_hat, seconds = self.timed(y, physics, x.shape, name)
        if batch_idx == 0 and self.total == 1 and seconds < WARM_UP_SECONDS:
            x_hat, seconds = self.timed(y, physics, x.shape, name)
        scores = self.score(name, x_hat, x, params)
        self.rows.append(Row(index, name, scores, seconds, digest(y)))
        if index < PICTURES:
            self.pictures.append(Picture(name, x, direct(y, physics).cpu(), x_hat.cpu(), scores))
        self.report(f"evaluating {len(self.rows)}/{self.total}")

    def timed(self, y: Tensor, physics: LinearPhysics, shape: Sequence[int], name: str) -> tuple[Tensor, float]:
        y = y.clone()  # a method that writes into its y must not change what is hashed and drawn
        synchronise(y.device)
        start = time.perf_counter()
        x_hat = reconstruct(self.method, y, physics, shape, name)
        synchronise(y.device)
        return x_hat, time.perf_counter() - start


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def evaluate(
    method: Method,
    track: Track,
    problem: Problem,
    *,
    accelerator: str = "cpu",
    devices: int = 1,
    limit: int | None = None,
    report: Report = lambda stage: None,
) -> tuple[Evaluation, list[Picture]]:
    """Score ``method`` on the test split, one image at a time, in one process or ``devices`` of them.

    Whole batches go to the ranks in turn, so that the scores do not depend on how many there are. Returns the outcome,
    equal on every rank, and pictures of those among the first images that this rank saw.
    """
    data = Measured(track, problem, "test", limit)
    run = trainer(accelerator, devices, use_distributed_sampler=False)  # the ranks share out whole images below
    indices = range(run.global_rank, len(data), devices)
    referee = Referee(method, track, problem, len(indices), report)
    loader = DataLoader(Subset(Indexed(data), indices), batch_size=1, collate_fn=lambda items: items[0])
    run.test(referee, loader, verbose=False)
    rows = gather(referee.rows)
    if sorted(row.index for row in rows) != list(range(len(data))):
        raise BenchError(f"{len(rows)} of {len(data)} test images came back from {devices} processes.")
    return summary(rows, devices), referee.pictures


class Indexed(Dataset):
    """Samples of a split with their place in it, as batches of one."""

    def __init__(self, data: Measured) -> None:
        self.data = data

    def __getitem__(self, index: int) -> Any:
        return index, collate([self.data[index]])


def summary(rows: Sequence[Row], devices: int) -> Evaluation:
    """Sort gathered rows by image, average times without the first image of each process."""
    rows = sorted(rows, key=lambda row: row.index)
    timed = [row.seconds for row in rows if row.index >= devices] or [row.seconds for row in rows]
    hashes = "".join(row.data_hash for row in rows)
    return Evaluation(
        per_image={row.id: row.scores for row in rows},
        seconds_per_image=math.fsum(timed) / len(timed),
        data_hash=hashlib.sha256(hashes.encode()).hexdigest()[:16],
    )
