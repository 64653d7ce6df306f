"""Training by a track's declared budget, with the checkpoint chosen on the validation split."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from bench.contract.method import LearnedMethod
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, TrainingStream, collate, to_device
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint
from bench.evaluation.evaluate import mean_score
from bench.evaluation.processes import trainer

VALIDATIONS = 5  # times per training, at the least; the last is at its end
CURVE_POINTS = 200  # of the training loss
FINITE_EVERY = 10  # steps between looks at whether the loss is still finite: each waits for the device


class TrainingData(LightningDataModule):
    """Feeds ``(x, y, physics)``; the batch of a step is the same on one process and on several."""

    def __init__(self, track: Track, problem: Problem, seed: int, devices: int) -> None:
        super().__init__()
        budget = track.budget
        if budget.batch % devices:
            raise BenchError(f"{track.id} trains on batches of {budget.batch}, which {devices} devices cannot share.")
        self.problem = problem
        self.devices = devices
        self.batch = budget.batch // devices
        self.stream = TrainingStream(track, problem, seed, budget.steps * budget.batch)

    def train_dataloader(self) -> DataLoader:
        assert self.trainer is not None
        return self.share(self.trainer.global_rank)

    def share(self, rank: int) -> DataLoader:
        """What one process sees of the stream: every ``devices``-th sample. Lightning's sampler would shuffle it."""
        indices = range(rank, len(self.stream), self.devices)
        return DataLoader(Subset(self.stream, indices), batch_size=self.batch, collate_fn=collate)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        _, x, y, params = batch
        return x.to(device), y.to(device), self.problem.physics(to_device(params, device), device)


class BestOnValidation(Callback):
    """Scores the method on validation images as it learns, and keeps the weights of the best score."""

    def __init__(self, track: Track, data: Measured, report: Callable[[str], None]) -> None:
        self.track, self.data, self.report = track, data, report
        self.curves: list[CurvePoint] = []
        self.best_score = -math.inf
        self.best_step = 0
        self.best_weights: dict[str, Tensor] = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, steps = batch_idx + 1, self.track.budget.steps
        wanted = step % -(-steps // CURVE_POINTS) == 0
        if wanted or step % FINITE_EVERY == 0:
            loss = float(outputs["loss"])
            if not math.isfinite(loss):
                raise BenchError(f"the training loss became {loss} at step {step}. Lower the `learning_rate`.")
            if wanted:
                self.curves.append(CurvePoint("train_loss", step, time.time(), loss))
        if step % max(1, steps // VALIDATIONS) == 0 or step == steps:
            self.validate(trainer, pl_module, step)
        self.report(f"training {step}/{steps}")

    def validate(self, trainer: Trainer, method: Any, step: int) -> None:
        indices = range(trainer.global_rank, len(self.data), trainer.world_size)
        score = mean_score(method, self.track, self.data, indices, method.device)
        self.curves.append(CurvePoint(f"val_{self.track.primary.name}", step, time.time(), score))
        gain = score if self.track.primary.higher_is_better else -score
        if gain > self.best_score:
            self.best_score, self.best_step = gain, step
            self.best_weights = {key: value.detach().clone() for key, value in method.state_dict().items()}


def train(
    method: LearnedMethod,
    track: Track,
    problem: Problem,
    *,
    seed: int,
    accelerator: str = "cpu",
    devices: int = 1,
    checkpoint: Any = None,
    report: Callable[[str], None] = lambda stage: None,
) -> tuple[dict[str, Any], Sequence[CurvePoint]]:
    """Train ``method`` in place and leave it with its best weights on validation; write them to ``checkpoint``.

    Returns the record of the training and the learning curves.
    """
    start = time.perf_counter()
    budget = track.budget
    if devices > 1 and not any(parameter.requires_grad for parameter in method.parameters()):
        raise BenchError(f"{type(method).__name__} learns without gradients, which devices cannot share: use one.")
    validation = Measured(track, problem, "val", budget.images, keep=True)
    chooser = BestOnValidation(track, validation, report)
    run = trainer(
        accelerator,
        devices,
        max_epochs=1,  # the stream ends with the budget, whether its steps are an optimiser's or not
        callbacks=[chooser],
        gradient_clip_val=method.gradient_clip,
        use_distributed_sampler=False,
    )
    run.fit(method, datamodule=TrainingData(track, problem, seed, devices))
    method.load_state_dict(chooser.best_weights)
    if checkpoint is not None:
        run.save_checkpoint(checkpoint, weights_only=True)
    best = chooser.best_score if track.primary.higher_is_better else -chooser.best_score
    record = {
        "steps": budget.steps,
        "batch": budget.batch,
        "chosen_step": chooser.best_step,
        f"val_{track.primary.name}": best,
        "val_images": len(validation),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return record, chooser.curves
