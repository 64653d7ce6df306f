"""The checkpoint of a training that is not done yet: written whole, and believed only where it is this run's.

It holds all that the rest of a training depends on: weights, optimisers, schedulers, the position in the stream, the
states of the random number generators, and the findings of other callbacks (best weights and curves so far).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO

from bench.evaluation.trainer import step_of
from bench.places import whole_file

NAME = "last.ckpt"
EVERY = 30.0  # seconds after which a training is written down, at the latest
TOGETHER = 10  # steps between looks at the clock of several processes, which must agree
DIGEST = hashlib.sha256().digest_size


class WholeFile(TorchCheckpointIO):
    """Writes a checkpoint aside and renames it. Its SHA-256 follows it in the file, so that damage is found."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as scratch:
            scratch.write_bytes(content + hashlib.sha256(content).digest())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: Any = None) -> dict[str, Any]:
        """Raises `ValueError` where the file's bits are not the written ones."""
        content = Path(path).read_bytes()
        if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
            raise ValueError("it is damaged")
        return torch.load(io.BytesIO(content[:-DIGEST]), map_location="cpu", weights_only=True)


class Keeper(Callback):
    """Writes the training of a run down to ``folder``, and takes it up again.

    ``owner`` names the run, and its code where that is not committed: a checkpoint of another owner is not used.
    ``due(step)`` tells after which steps it is written whatever the clock says. It must be the last callback.
    """

    def __init__(self, folder: Path, owner: str, due: Callable[[int], bool], report: Callable[[str], None]) -> None:
        self.folder, self.owner, self.due, self.report = folder, owner, due, report
        self.resumed_at: list[int] = []
        self.random: Mapping[str, Any] = {}
        self.seconds = 0.0  # that earlier processes spent on this training
        self.started = self.written = time.monotonic()

    @property
    def path(self) -> Path:
        return self.folder / NAME

    def step(self) -> int:
        """The steps that are done by a checkpoint of this run; 0 without one. Another file is reported and not used."""
        if not self.path.exists():
            return 0
        try:
            checkpoint = WholeFile().load_checkpoint(self.path)
            state = checkpoint["callbacks"][self.state_key]
            if state["key"] != self.owner:
                raise ValueError(f"it is of {state['key']}")
            return int(state["step"])
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:100]
            line = f"the checkpoint {self.path.name} of {self.owner} is not used: {reason}."
            warnings.warn(f"{line} The training starts anew.", stacklevel=2)
            self.report(line)
            return 0

    def spent(self) -> float:
        """Seconds spent on this training, by this process and by those that were interrupted."""
        return self.seconds + time.monotonic() - self.started

    def state_dict(self) -> dict[str, Any]:
        return {
            "key": self.owner,
            "step": self.now,
            "seconds": self.spent(),
            "resumed_at": self.resumed_at,
            "random": random_state(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds, self.random = state_dict["seconds"], state_dict["random"]
        self.resumed_at = [*state_dict["resumed_at"], state_dict["step"]]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.random:
            set_random_state(self.random)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.now = step_of(trainer, batch_idx)
        if not self.now:
            return
        wanted = time.monotonic() - self.written > EVERY
        if trainer.world_size > 1:
            wanted = self.now % TOGETHER == 0 and trainer.strategy.reduce_boolean_decision(wanted, all=False)
        if wanted or self.due(self.now):
            with suppress(OSError):  # a full disk costs the checkpoint, not the training
                trainer.save_checkpoint(self.path)
            self.written = time.monotonic()


def random_state() -> dict[str, Any]:
    """The states of the global generators of torch, NumPy and Python, in types that a checkpoint may hold."""
    name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - a method may draw from it
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, cached),
        "python": random.getstate(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    name, keys, position, has_gauss, cached = state["numpy"]
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_initialized() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    random.setstate(state["python"])
