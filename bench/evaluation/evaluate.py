"""The referee's evaluation: a method is given y and its physics, never x; every image is scored and kept."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from bench.contract import determinism
from bench.contract.determinism import exact
from bench.contract.method import Estimate, Method
from bench.contract.operators import direct
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, digest, generator, sound, targets
from bench.errors import BenchError, OverTime
from bench.evaluation.pictures import Picture
from bench.evaluation.resources import give_back_spare_memory
from bench.evaluation.scores import Confidence, mean, recorder, scorer, shares
from bench.evaluation.trainer import gather, trainer

Report = Callable[[str], None]

PICTURES = 4  # the first test images are kept as pictures
CALIBRATED_ON = 16  # of the first validation images


@dataclass(frozen=True)
class Row:
    """The outcome of one image."""

    index: int
    id: str
    group: str
    scores: dict[str, float]
    seconds: float
    data_hash: str
    records: dict[str, Any] = field(default_factory=dict)  # by metric of a set, the facts of this image
    confidence: dict[str, float] = field(default_factory=dict)  # scores of the standard deviation


@dataclass(frozen=True)
class Evaluation:
    """The outcome on a test set, in the order of its images."""

    per_image: dict[str, dict[str, float]]  # for a score of the set the share of the image
    groups: dict[str, str]
    image_hashes: dict[str, str]
    seconds_per_image: float
    data_hash: str
    records: dict[str, dict[str, Any]] = field(default_factory=dict)  # {image: {metric of the set: facts}}
    confidence: Confidence | None = None


def seeded(*parts: object) -> AbstractContextManager[None]:
    """Random numbers of torch, NumPy and Python that depend on ``parts`` alone, and leave the state as it was."""
    return determinism.seeded(int(generator(*parts).integers(2**31)))


def reconstruct(
    method: Method, y: Tensor, physics: LinearPhysics, shape: Sequence[int], name: str, track: Track
) -> Estimate:
    """The method's estimate of ``y``, checked against the contract; a breach is one line that names the image.

    ``shape`` is the shape of the image, (B, C, ...). The estimate holds the part by which the track ranks, at least.
    """
    with exact():
        answer = method(y, physics)
    give_back_spare_memory(y.device)
    estimate = answer if isinstance(answer, Estimate) else Estimate(image=answer)
    image, finding, std = estimate.image, estimate.finding, estimate.std
    if image is not None or "image" in (track.primary.of, *method.returns):
        image = checked(image, shape, y, f"on image {name} the method returned ")
    if track.classes and (finding is not None or track.primary.of == "finding"):
        if finding is None:
            raise BenchError(f"on image {name} the method returned no finding: return Estimate(finding=...).")
        expected = (shape[0], track.classes, *shape[2:])
        finding = checked(finding, expected, y, f"on image {name} the method returned a finding: ")
        if float(finding.min()) < 0 or float(finding.max()) > 1:
            raise BenchError(f"on image {name} the method returned a finding beyond [0, 1]: it is a probability.")
    if std is not None or "std" in method.returns:
        std = checked(std, shape, y, f"on image {name} the method returned a standard deviation: ")
        if image is None or float(std.min()) < 0:
            fault = "a negative standard deviation" if image is not None else "the standard deviation of no image"
            raise BenchError(f"on image {name} the method returned {fault}.")
    return Estimate(image, finding, std)


def checked(part: Tensor | None, shape: Sequence[int], y: Tensor, what: str) -> Tensor:
    if not isinstance(part, Tensor):
        raise BenchError(f"{what}{type(part).__name__}, expected a tensor.")
    if part.shape != torch.Size(shape):
        raise BenchError(f"{what}shape {tuple(part.shape)}, expected {tuple(shape)}.")
    if part.dtype != y.dtype or part.device != y.device:
        raise BenchError(f"{what}{part.dtype} on {part.device}, expected {y.dtype} on {y.device}.")
    if not bool(torch.isfinite(part).all()):
        raise BenchError(f"{what}NaN or infinite values.")
    return part.detach()


def given(method: Method, x: Tensor, y: Tensor, device: torch.device) -> Tensor:
    """A copy of the measurement on a device; of the image for a method that is declared to see the truth."""
    return (x.to(y.dtype) if method.sees_truth else y.clone()).to(device)


def physics_for(problem: Problem, params: Mapping[str, Tensor], device: torch.device) -> LinearPhysics:
    """A fresh operator from copies of its parameters: a method that writes into them can't move its own score."""
    return problem.physics({name: value.clone().to(device) for name, value in params.items()}, device)


def mean_score(
    method: Method,
    track: Track,
    data: Measured,
    indices: Sequence[int],
    device: torch.device,
    *,
    seed: int = 0,
    deadline: float = math.inf,
    seen: Callable[[int, Estimate, dict[str, float]], None] = lambda index, estimate, scores: None,
) -> float:
    """The mean of the primary metric over some images of a split, outside of any Trainer (tuning, validation).

    The estimate of each image and its scores are given to ``seen``. Raises `OverTime` when `time.monotonic()` passes
    the ``deadline``.
    """
    score, record = scorer(track), recorder(track)
    rows = []
    was_training = method.training
    method.eval()
    with torch.no_grad():
        for index in indices:
            if time.monotonic() > deadline:
                raise OverTime("the trial went over its time")
            sample = sound(data[index], track.classes)
            (name,), x, y, params = collate([sample])
            with seeded(seed, track.id, name):
                estimate = reconstruct(
                    method, given(method, x, y, device), physics_for(data.problem, params, device), x.shape, name, track
                )
            facts = (name, estimate, x, params, targets([sample]))
            rows.append((index, score(*facts), record(*facts)))
            seen(index, estimate, rows[-1][1])
    method.train(was_training)
    rows = sorted(gather(rows), key=lambda row: row[0])
    return mean(track.primary, [row[1] for row in rows], [row[2] for row in rows])


def calibrated(
    method: Method, track: Track, problem: Problem, seed: int, device: torch.device, rank: int, ranks: int
) -> Confidence:
    """The calibration of a method's standard deviations on validation images, which the processes share."""
    data = Measured(track, problem, "val", CALIBRATED_ON, keep=True)
    confidence, found = Confidence(track), []

    def seen(index: int, estimate: Estimate, scores: dict[str, float]) -> None:
        _, x, _, params = collate([data[index]])
        found.append((index, confidence.facts(estimate, x, params)))

    mean_score(method, track, data, range(rank, len(data), ranks), device, seed=seed, seen=seen)
    confidence.calibrate([facts for _, facts in sorted(gather(found), key=lambda one: one[0])])
    return confidence


class Referee(LightningModule):
    """Runs a method over a test set inside a Trainer. Physics and y reach the method; x stays here, on the CPU."""

    def __init__(self, method: Method, track: Track, problem: Problem, total: int, seed: int, report: Report) -> None:
        super().__init__()
        self.method = method
        self.track = track
        self.problem = problem
        self.score, self.record = scorer(track), recorder(track)
        self.total = total
        self.seed = seed
        self.report = report
        self.rows: list[Row] = []
        self.pictures: list[Picture] = []
        self.confidence: Confidence | None = None

    def on_test_start(self) -> None:
        if "std" in self.method.returns:
            self.report("calibrating standard deviations")
            place = self.trainer.global_rank, self.trainer.world_size
            self.confidence = calibrated(self.method, self.track, self.problem, self.seed, self.device, *place)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        index, group, (ids, x, y, params), target = batch
        return index, group, ids[0], x, y, params, target

    def test_step(self, batch: Any, batch_idx: int) -> None:
        index, group, name, x, y, params, target = batch
        physics = physics_for(self.problem, params, self.device)
        measured = given(self.method, x, y, self.device)
        synchronise(self.device)
        start = time.perf_counter()
        with seeded(self.seed, self.track.id, name):
            estimate = reconstruct(self.method, measured, physics, x.shape, name, self.track)
        synchronise(self.device)
        seconds = time.perf_counter() - start
        facts = (name, estimate, x, params, target)
        scores = self.score(*facts)
        sure = {} if self.confidence is None else self.confidence.scores(estimate, x, params)
        self.rows.append(Row(index, name, group, scores, seconds, digest(y), self.record(*facts), sure))
        if index < PICTURES:
            first = direct(y.to(self.device), physics_for(self.problem, params, self.device)).cpu()
            parts = (estimate.image, estimate.finding, estimate.std)
            image, finding, std = (None if part is None else part.cpu() for part in parts)
            truth = None if target is None or finding is None else target["map"]
            self.pictures.append(Picture(name, x, first, image, scores, truth, finding, std))
        self.report(f"evaluating {len(self.rows)}/{self.total}")


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
    seed: int = 0,
    report: Report = lambda stage: None,
) -> tuple[Evaluation, list[Picture]]:
    """Score ``method`` on the test split, one image at a time, in one process or ``devices`` of them.

    Whole batches go to the ranks in turn, so that the scores do not depend on how many there are. Returns the outcome,
    equal on every rank, and pictures of those among the first images that this rank saw.
    """
    data = Measured(track, problem, "test", limit)
    run = trainer(accelerator, devices, use_distributed_sampler=False)  # the ranks share out whole images below
    indices = range(run.global_rank, len(data), devices)
    referee = Referee(method, track, problem, len(indices), seed, report)
    loader = DataLoader(Subset(Indexed(data), indices), batch_size=1, collate_fn=lambda items: items[0])
    run.test(referee, loader, verbose=False)
    rows = gather(referee.rows)
    if sorted(row.index for row in rows) != list(range(len(data))):
        raise BenchError(f"{len(rows)} of {len(data)} test images came back from {devices} processes.")
    rows = sorted(rows, key=lambda row: row.index)
    of_set = shares(track, [row.records for row in rows])
    rows = [replace(row, scores=row.scores | more) for row, more in zip(rows, of_set, strict=True)]
    outcome = summary(rows, devices)
    if referee.confidence is not None:
        referee.confidence.per_image = {row.id: row.confidence for row in rows}
        outcome = replace(outcome, confidence=referee.confidence)
    return outcome, referee.pictures


class Indexed(Dataset):
    """Samples of a split with their index and their group, as batches of one."""

    def __init__(self, data: Measured) -> None:
        self.data = data

    def __getitem__(self, index: int) -> Any:
        sample = sound(self.data[index], self.data.track.classes)
        return index, sample.group, collate([sample]), targets([sample])


def summary(rows: Sequence[Row], devices: int) -> Evaluation:
    """Sort gathered rows by image, average times without the first image of each process."""
    rows = sorted(rows, key=lambda row: row.index)
    timed = [row.seconds for row in rows if row.index >= devices] or [row.seconds for row in rows]
    hashes = "".join(row.data_hash for row in rows)
    return Evaluation(
        per_image={row.id: row.scores for row in rows},
        groups={row.id: row.group for row in rows},
        image_hashes={row.id: row.data_hash[:16] for row in rows},
        seconds_per_image=math.fsum(timed) / len(timed),
        data_hash=hashlib.sha256(hashes.encode()).hexdigest()[:16],
        records={row.id: row.records for row in rows if row.records},
    )
