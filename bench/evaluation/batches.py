"""Training batches, drawn ahead by worker processes where a GPU would wait for them.

Workers inherit nothing of CUDA and see no GPU: `import deepinv` would take memory on it. On Linux they are forked from
a server that has imported what they need once for all of them, elsewhere they are spawned.

Batches come in their order, so that all workers would wait for one that makes a phantom, for seconds. Further processes
make phantoms ahead (`Makers`), in the time that others leave over.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from bench.contract.task import Problem
from bench.data.measurements import TrainingStream, Unmeasured, collate_training
from bench.settings import processors
from bench.settings import workers as asked_workers

MOST_WORKERS = 12
MOST_MAKERS = 8
AHEAD = 2  # batches that each worker draws ahead
SHARED_MEMORY = Path("/dev/shm")  # through which workers hand over their batches


class Batches:
    """The batches of one process: the rest of ``count``. Lightning takes it for a loader that can go on there.

    ``makers`` work while there are workers.
    """

    def __init__(
        self,
        samples: Subset,
        batch: int,
        count: int,
        workers: int,
        makers: Makers | None = None,
    ) -> None:
        self.count = count
        workers = min(workers, room(samples, batch)) if workers else 0
        self.makers: AbstractContextManager[object] = makers if workers and makers else nullcontext()
        ahead: dict[str, Any] = {"multiprocessing_context": context(), "prefetch_factor": AHEAD}
        self.loader: DataLoader = DataLoader(
            samples,
            batch_size=batch,
            collate_fn=collate_training,
            num_workers=workers,
            pin_memory=workers > 0 and torch.cuda.is_available(),
            generator=torch.Generator(),
            **(ahead if workers else {}),
        )

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        """Workers start with the first batch that is asked for: Lightning also makes an iterator that it never uses.

        PyTorch draws a number from the global generator for each iterator that it makes. Here the iterator of batches
        does: the random numbers of a training are those that its rows were made with.
        """
        torch.empty((), dtype=torch.int64).random_()
        return self._batches()

    def _batches(self) -> Iterator[Any]:
        with self.makers:
            with blind():
                batches = iter(self.loader)
            yield from batches

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The samples begin where the training goes on."""


class Makers:
    """Processes that load the training images of a stream in its order, so that others find them in the cache.

    There are ``count`` beside each of the ``ranks`` processes of a training, which share the images. An image that they
    have not come to is made by whoever draws it, and so are all where no process can be started.
    """

    def __init__(self, stream: TrainingStream, count: int, rank: int, ranks: int) -> None:
        self.stream = stream
        self.shares = [(rank * count + i, ranks * count) for i in range(count)]
        self.processes: list[Any] = []

    def __enter__(self) -> None:
        with blind(), suppress(OSError):
            for share in self.shares:
                process = context().Process(target=make, args=(self.stream, *share), daemon=True)
                process.start()
                self.processes.append(process)

    def __exit__(self, *_: object) -> None:
        while self.processes:
            process = self.processes.pop()
            if process.is_alive():  # the number of one that has ended may be another's by now
                process.terminate()


def make(stream: TrainingStream, share: int, shares: int) -> None:
    """Load every ``shares``-th training image, with the lowest priority and as long as the training lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # its server may hold signals
        os.nice(19)
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    for name in stream.first_names()[share::shares]:
        if parent is None or not parent.is_alive():
            return
        with suppress(Exception):  # whoever draws the image tells what is wrong with it
            stream.load(name)


def makers(stream: TrainingStream, rank: int, ranks: int) -> Makers | None:
    """The `Makers` of one process of a training, if its track has images that take long to make.

    Such images join the training one by one, or are phantoms that are measured once.
    """
    problem = stream.problem
    if not (problem.measured_once or problem.images["train"].join_every):
        return None
    return Makers(stream, max(1, min(MOST_MAKERS, processors() // ranks - 1)), rank, ranks)


def spare_workers(accelerator: str, devices: int) -> int:
    """Processes that draw training data for one device: none beside a training on the CPU, which needs them itself.

    `BENCH_WORKERS` sets another number. Raises `BenchError` where it is none.
    """
    asked = asked_workers()
    if asked is not None:
        return asked
    if accelerator == "cpu":
        return 0
    return max(0, min(MOST_WORKERS, processors() // devices - 1))


def room(samples: Subset, batch: int) -> int:
    """Workers whose batches fit into shared memory, half of which is left to others; a container may have little."""
    if not len(samples) or not SHARED_MEMORY.exists():
        return MOST_WORKERS
    sample = samples[0]
    if isinstance(sample, Unmeasured):
        tensors = list(sample.arrays.values())
    else:
        tensors = [sample.x, sample.y, *sample.params.values(), *(sample.target or {}).values()]
    size = sum(tensor.nbytes for tensor in tensors)
    return shutil.disk_usage(SHARED_MEMORY).free // (2 * (AHEAD + 1) * batch * size)


def context() -> Any:
    """The multiprocessing context of workers. Its server starts with the first of them, if `start_server` has not."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload([__name__])  # of a server that is still to come
    return found


def start_server(problem: Problem) -> None:
    """Start the server of the workers of a training: it imports what draws samples while the training is made ready."""
    if sys.platform != "linux":
        return
    from multiprocessing import forkserver

    package = getattr(problem.measure, "__module__", __name__).partition(".")[0]  # of the task, which is open
    opened = [name for name in sys.modules if name.partition(".")[0] == package]
    context().set_forkserver_preload([__name__, *opened])
    with blind():
        forkserver.ensure_running()


@contextmanager
def blind() -> Iterator[None]:
    """Processes that are started now see no GPU."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before
