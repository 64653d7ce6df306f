"""Training by a track's declared budget, with the checkpoint chosen on the validation split.

A training that was interrupted goes on from its last checkpoint (`bench.evaluation.partial`) to the same weights.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning import __version__ as LIGHTNING
from torch import Tensor
from torch.utils.data import Subset

from bench.contract.method import Estimate, LearnedMethod
from bench.contract.operators import direct
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, TrainingStream, collate, on_device
from bench.errors import BenchError
from bench.evaluation.batches import Batches, makers, spare_workers, start_server
from bench.evaluation.curves import LOOKS_FOLDER, CurvePoint, Look
from bench.evaluation.evaluate import mean_score, physics_for, seeded
from bench.evaluation.partial import Keeper, WholeFile
from bench.evaluation.pictures import Picture, save_look
from bench.evaluation.trainer import compiled, step_of, trainer
from bench.recorded_networks import recorded_networks
from bench.settings import records

CURVE_POINTS = 200  # of the training loss
FINITE_EVERY = 10  # steps between looks at whether the loss is still finite: each waits for the device
LONG = 2000  # steps of a training that is worth the seconds in which its networks are recorded on a GPU
PACE = 50  # steps over which the pace of a training is taken

Report = Callable[[str], None]
Point = Callable[[CurvePoint | Look], None]


@dataclass(frozen=True)
class Computing:
    """How a training computes where it was asked for: Lightning's ``precision``, parts of a batch, `torch.compile`."""

    precision: str = "32-true"
    accumulate: int = 1  # parts of each batch, one after another, whose gradients are added up
    compile: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        """The choices that are not the default."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}


class TrainingData(LightningDataModule):
    """Feeds ``(x, y, physics)`` from a step on; the batch of a step is the same on one process and on several.

    On a track that asks for a finding the target is its fourth part.

    Each device is given its share of a batch in ``parts``, one after another. Samples are drawn by ``workers``
    processes, or by this one. They are the same for any number of workers.
    """

    def __init__(
        self,
        track: Track,
        problem: Problem,
        seed: int,
        devices: int,
        start: int = 0,
        workers: int = 0,
        parts: int = 1,
    ) -> None:
        super().__init__()
        budget = track.budget
        if budget.batch % (devices * parts):
            shares = " of ".join([f"{parts} parts"] * (parts > 1) + [f"{devices} devices"] * (devices > 1))
            raise BenchError(f"{track.id} trains on batches of {budget.batch}, which {shares} cannot share.")
        self.problem, self.devices, self.workers, self.parts = problem, devices, workers, parts
        self.classes = track.classes
        self.start, self.steps, self.batch = start, budget.steps, budget.batch
        self.stream = TrainingStream(track, problem, seed, budget.steps * budget.batch)
        self.physics: LinearPhysics | None = None  # the one of all batches, where they have no params

    def train_dataloader(self) -> Batches:
        assert self.trainer is not None
        return self.share(self.trainer.global_rank)

    def share(self, rank: int) -> Batches:
        """The part of the stream that one process sees: every ``devices``-th sample."""
        samples = range(self.start * self.batch + rank, self.steps * self.batch, self.devices)
        size = self.batch // (self.devices * self.parts)
        ahead = makers(self.stream, rank, self.devices)
        return Batches(Subset(self.stream, samples), size, self.steps * self.parts, self.workers, ahead)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        with torch.no_grad():
            x, y, params, *target = on_device(self.problem, batch, device)
        physics = self.physics or self.problem.physics(params, device)
        if not params:  # kept: the process waits for its GPU while an operator is made
            self.physics = physics
        return x, y, physics, *(target if self.classes else ())


class BestOnValidation(Callback):
    """Scores the method on validation images as it learns, and keeps the weights of the best score.

    Each point of a curve is also given to ``point`` when it is there, and so is a picture of the first validation
    image, which is written in ``folder``.
    """

    def __init__(self, track: Track, data: Measured, report: Report, point: Point, folder: Path | None) -> None:
        self.track, self.data, self.report, self.point, self.folder = track, data, report, point, folder
        self.first: Tensor | None = None  # the first validation image by the direct method
        self.curves: list[CurvePoint] = []
        self.best_score = -math.inf
        self.best_step = 0
        self.best_weights: dict[str, Tensor] = {}
        self.ends: deque[float] = deque(maxlen=PACE + 1)  # of the last steps

    def due(self, step: int) -> bool:
        """Whether validation follows a step."""
        return step % self.track.budget.look_every == 0 or step == self.track.budget.steps

    def add(self, name: str, step: int, value: float) -> None:
        self.curves.append(CurvePoint(name, step, time.time(), value))
        self.point(self.curves[-1])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, steps = step_of(trainer, batch_idx), self.track.budget.steps
        if not step:
            return
        wanted = step % -(-steps // CURVE_POINTS) == 0
        if wanted or step % FINITE_EVERY == 0:
            self.look_at_losses(trainer, outputs, step, wanted)
        if self.due(step):
            self.validate(trainer, pl_module, step)
        self.ends.append(time.monotonic())
        self.report(f"training {step}/{steps}{pace(self.ends, steps - step)}")

    def look_at_losses(self, trainer: Trainer, outputs: Any, step: int, wanted: bool) -> None:
        """Keep the loss, and the values that the method logs by itself; a method of several losses may return none."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        losses = {}
        if outputs and "loss" in outputs:  # of a batch in parts Lightning gives the last part's, over their number
            losses = {"train_loss": float(outputs["loss"]) * trainer.accumulate_grad_batches}
        for name, value in {**logged, **losses}.items():
            if not math.isfinite(value) and (name in losses or "loss" in name):
                shown = name.replace("train_loss", "training loss")
                raise BenchError(f"the {shown} became {value} at step {step}. Lower the `learning_rate`.")
            if wanted and math.isfinite(value):
                self.add(name, step, value)

    def validate(self, trainer: Trainer, method: Any, step: int) -> None:
        indices = range(trainer.global_rank, len(self.data), trainer.world_size)

        def seen(index: int, estimate: Estimate, scores: dict[str, float]) -> None:
            if index == 0 and self.folder is not None and estimate.image is not None:
                with suppress(Exception):  # whatever goes wrong costs the picture, not the training
                    self.point(save_look(self.picture(estimate.image, scores), self.folder, step))

        score = mean_score(method, self.track, self.data, indices, method.device, seen=seen)
        self.add(f"val_{self.track.primary.name}", step, score)
        gain = score if self.track.primary.higher_is_better else -score
        if gain > self.best_score:
            self.best_score, self.best_step = gain, step
            self.best_weights = {key: value.detach().clone() for key, value in method.state_dict().items()}

    def picture(self, x_hat: Tensor, scores: dict[str, float]) -> Picture:
        (name,), x, y, params = collate([self.data[0]])
        if self.first is None:
            with seeded(0, self.track.id, name):  # a training draws the same numbers with and without pictures
                self.first = direct(y.to(x_hat.device), physics_for(self.data.problem, params, x_hat.device)).cpu()
        return Picture(name, x, self.first, x_hat.cpu(), scores)

    def state_dict(self) -> dict[str, Any]:
        return {
            "curves": [tuple(point) for point in self.curves],
            "best_score": self.best_score,
            "best_step": self.best_step,
            "best_weights": self.best_weights,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curves = [CurvePoint(*point) for point in state_dict["curves"]]
        self.best_score, self.best_step = state_dict["best_score"], state_dict["best_step"]
        self.best_weights = state_dict["best_weights"]


def pace(ends: Sequence[float], left: int) -> str:
    """Steps a second by the ends of the last steps, and the seconds for ``left`` more; "" after the first step."""
    if len(ends) < 2 or ends[-1] <= ends[0]:
        return ""
    rate = (len(ends) - 1) / (ends[-1] - ends[0])
    return f", {rate:.3g} steps/s, {left / rate:.0f} s left"


def too_large(batch: int, parts: int, devices: int, method: LearnedMethod, error: Exception) -> str:
    """The error of a batch that the memory of each GPU does not hold in so many parts, with the remedy."""
    divisible = method.automatic_optimization and batch % (2 * parts * devices) == 0
    remedy = f"`--accumulate {2 * parts}` takes it in parts" if divisible else "use one of more memory"
    reason = (str(error).strip().splitlines() or ["out of memory"])[0]
    return f"the memory of the GPU does not hold a batch of {batch}: {remedy}. ({reason})"


def train(
    method: LearnedMethod,
    track: Track,
    problem: Problem,
    *,
    seed: int,
    accelerator: str = "cpu",
    devices: int = 1,
    checkpoint: Any = None,
    partial: Path | None = None,
    owner: str = "",
    computing: Computing = Computing(),
    report: Report = lambda stage: None,
    point: Point = lambda point: None,
) -> tuple[dict[str, Any], Sequence[CurvePoint]]:
    """Train ``method`` in place and leave it with its best weights on validation; write them to ``checkpoint``.

    With ``partial``, a folder, the training is written down there as it proceeds, and goes on from there where it was
    interrupted and had the same ``owner``, which names the run and its code; pictures of a validation image are kept
    there too. Returns the record of the training and the learning curves, of which each new point is given to
    ``point``, and so is each picture.
    """
    start = time.perf_counter()
    budget = track.budget
    if devices > 1 and not any(parameter.requires_grad for parameter in method.parameters()):
        raise BenchError(f"{type(method).__name__} learns without gradients, which devices cannot share: use one.")
    if computing.accumulate > 1 and not method.automatic_optimization:
        raise BenchError(f"{type(method).__name__} takes its own steps, each on a whole batch: leave out --accumulate.")
    workers = spare_workers(accelerator, devices)
    if workers:
        start_server(problem)
    validation = Measured(track, problem, "val", budget.validation_images, keep=True)
    chooser = BestOnValidation(track, validation, report, point, partial and partial / LOOKS_FOLDER)
    keeper = None if partial is None else Keeper(partial, owner, chooser.due, report)
    done = keeper.step() if keeper else 0
    run = trainer(
        accelerator,
        devices,
        max_epochs=1,  # the stream ends with the budget, whether its steps are an optimiser's or not
        callbacks=[chooser, keeper] if keeper else [chooser],
        plugins=[WholeFile()],
        gradient_clip_val=method.gradient_clip if method.automatic_optimization else None,
        use_distributed_sampler=False,
        precision=computing.precision,
        accumulate_grad_batches=computing.accumulate,
    )
    data = TrainingData(track, problem, seed, devices, done, workers, computing.accumulate)
    faster: AbstractContextManager[None] = nullcontext()
    if computing.compile:
        faster = compiled(method)
    elif devices == 1 and method.automatic_optimization and records(budget.steps >= LONG):
        # Several devices exchange gradients while a backward pass works, which a recording can't.
        faster = recorded_networks(method)
    try:
        with faster:
            run.fit(method, datamodule=data, ckpt_path=keeper.path if keeper and done else None)
    except torch.OutOfMemoryError as error:
        raise BenchError(too_large(budget.batch, computing.accumulate, devices, method, error)) from error
    method.load_state_dict(chooser.best_weights)
    if checkpoint is not None and run.is_global_zero:
        torch.save({"state_dict": chooser.best_weights, "pytorch-lightning_version": LIGHTNING}, checkpoint)
    best = chooser.best_score if track.primary.higher_is_better else -chooser.best_score
    record: dict[str, Any] = {
        "steps": budget.steps,
        "batch": budget.batch,
        "chosen_step": chooser.best_step,
        f"val_{track.primary.name}": best,
        "val_images": len(validation),
        **computing.asked,
        "seconds": round(keeper.spent() if keeper else time.perf_counter() - start, 3),
    }
    if keeper and keeper.resumed_at:
        record["resumed_at"] = keeper.resumed_at
    return record, chooser.curves
