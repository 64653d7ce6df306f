"""How a Trainer is set up, a method compiled for it, and rows gathered across its processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch.distributed
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment

from bench.errors import BenchError

T = TypeVar("T")

COMPILERS = ("g++", "clang++", "c++")


def trainer(accelerator: str, devices: int, plugins: Sequence[Any] = (), **options: Any) -> Trainer:
    """A quiet Trainer on ``devices`` of an accelerator; several processes where there are several."""
    return Trainer(
        accelerator=accelerator,
        devices=devices,
        # A parameter that the loss does not use is no fault: one device trains with it, and so do several.
        strategy="auto" if devices == 1 else "ddp_find_unused_parameters_true",
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


@contextmanager
def compiled(method: LightningModule, backend: str = "inductor") -> Iterator[None]:
    """``method.forward`` under `torch.compile`. Raises `BenchError` where it, or its compiler of C++, does not work."""
    wanted = [os.environ["CXX"]] if "CXX" in os.environ else COMPILERS
    if not any(map(shutil.which, wanted)):
        raise BenchError(f"--compile needs a C++ compiler, and {' or '.join(wanted)} is not found. Leave it out.")
    method.forward = torch.compile(method.forward, backend=backend)  # type: ignore[method-assign]
    try:
        yield
    except torch._dynamo.exc.TorchDynamoException as error:
        reason = " ".join(str(error).strip().splitlines()[:2])
        raise BenchError(f"torch.compile failed, so leave out --compile: {reason}") from error
    finally:
        del method.forward  # type: ignore[method-assign]


def step_of(run: Trainer, batch_index: int) -> int:
    """The step of a training that ends with a batch; 0 where further parts of its batch follow."""
    step, part = divmod(batch_index + 1, run.accumulate_grad_batches)
    return 0 if part else step


def gather(rows: Sequence[T]) -> list[T]:
    """The rows of all processes, on every process."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(rows)
    gathered: list[list[T]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(gathered, list(rows))
    return [row for part in gathered for row in part]
