"""A track, opened once, and its samples as methods meet them, which all checks use."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bench.contract.task import Problem, Sample, Task, Track
from bench.data.measurements import Measured, TrainingStream, collate, collate_training, on_device

CPU = torch.device("cpu")


class Opened:
    """A track, opened once when a check needs it, and its samples as methods meet them."""

    def __init__(self, task: Task, track: Track) -> None:
        self.task, self.track = task, track
        self.samples: dict[str, Sample] = {}

    @cached_property
    def problem(self) -> Problem:
        return self.task.open(self.track)

    def sample(self, split: str) -> Sample:
        """The first image of a split."""
        if split not in self.samples:
            self.samples[split] = Measured(self.track, self.problem, split, 1)[0]
        return self.samples[split]

    def anew(self, track: Track) -> Sample:
        """The first test image of the track, or of a changed one, opened again."""
        return Measured(track, self.task.open(track), "test", 1)[0]

    def batched(self, split: str = "test") -> tuple[Tensor, Tensor, Any]:
        """The first image of a split as a batch of one: x in single precision, y, and a fresh physics."""
        _, x, y, params = collate([self.sample(split)])
        return x.float(), y, self.problem.physics(params, CPU)

    def training_batch(self) -> tuple[Any, ...]:
        """Two training samples: ``(x, y, params)``, and the target where the track has one."""
        stream = TrainingStream(self.track, self.problem, 0, 2)
        return on_device(self.problem, collate_training([stream[0], stream[1]]), CPU)
