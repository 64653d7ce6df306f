"""One process or several: how a Trainer is set up, and how rows are gathered across its processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch.distributed
from pytorch_lightning import Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment

T = TypeVar("T")


def trainer(accelerator: str, devices: int, plugins: Sequence[Any] = (), **options: Any) -> Trainer:
    """A quiet Trainer on ``devices`` of an accelerator; several processes where there are several."""
    return Trainer(
        accelerator=accelerator,
        devices=devices,
        strategy="auto" if devices == 1 else "ddp",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        inference_mode=False,  # a method may differentiate inside `forward`
        plugins=[
            LightningEnvironment(),
            *plugins,
        ],  # no look for a cluster: asking MPI ends a process where it can't start
        **options,
    )


def gather(rows: Sequence[T]) -> list[T]:
    """The rows of all processes, on every process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(rows)
    gathered: list[list[T]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(gathered, list(rows))
    return [row for part in gathered for row in part]
