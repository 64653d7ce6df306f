"""Workers draw the same batches as the process that trains, see no GPU, and fit into shared memory."""

import multiprocessing
import os
import signal
from collections import namedtuple
from dataclasses import replace
from multiprocessing import forkserver

import pytest
import torch
import toy
from torch.utils.data import Dataset, Subset

from bench.contract import registry
from bench.contract.task import Budget, Images
from bench.data.measurements import Sample, TrainingStream, collate_training, on_device
from bench.engines import processes
from bench.errors import BenchError
from bench.evaluation import batches
from bench.evaluation.batches import Batches, Makers, blind, make, makers, room, spare_workers, start_server
from bench.evaluation.train import TrainingData


@pytest.fixture(autouse=True)
def _server():
    """Workers are forked from the server that all tests of a process share, whichever comes first."""
    processes.context()


Usage = namedtuple("Usage", "free")


class Sight(Dataset):
    """Samples that hold the number of GPUs that the process which draws them may see."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        seen = torch.tensor(len(os.environ.get("CUDA_VISIBLE_DEVICES", "all")))
        return Sample("", "", torch.zeros(1, 5), torch.zeros(1, 3), {"p": torch.zeros(2), "seen": seen})


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("track", "workers"), [(toy.MINI, 2), (toy.SIMULATED, 1)], ids=["measured", "simulated"])
def test_batches_of_workers_are_those_of_one_process(track, workers):
    track = replace(track, budget=Budget(steps=6, batch=4))
    problem, cpu = toy.open_track(track), torch.device("cpu")
    alone, drawn = (
        [on_device(problem, batch, cpu) for batch in TrainingData(track, problem, 7, 1, start=2, workers=n).share(0)]
        for n in (0, workers)
    )
    assert len(drawn) == len(alone) == 4
    for (x, y, _), (other_x, other_y, _) in zip(alone, drawn, strict=True):
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


@pytest.mark.parametrize(("name", "once"), [("denoising:mini", True), ("ct:mini", True), ("inpainting:mini", False)])
def test_a_training_makes_an_operator_without_params_once(name, once):
    """A GPU is waited for where one is made."""
    track = registry.track(name)
    data = TrainingData(track, registry.load_task(track.task).open(track), 0, 1)
    first, second = (
        data.transfer_batch_to_device(collate_training([data.stream[index]]), torch.device("cpu"), 0)[2]
        for index in (0, 1)
    )
    assert (first is second) == once


def test_shared_memory_has_room_for_images_that_are_not_measured_yet(monkeypatch):
    monkeypatch.setattr(batches.shutil, "disk_usage", lambda path: Usage(2 * 3 * 4 * 16 * 16 * 4 * 2))
    problem = toy.open_track(toy.SIMULATED)
    assert room(Subset(TrainingStream(toy.SIMULATED, problem, 0, 4), range(4)), 4) == 2


def test_an_iterator_that_is_never_used_starts_no_worker():
    """Lightning makes one to see that there is one; its workers would be started twice."""
    unused = iter(Batches(Subset(Sight(), range(4)), 4, 1, workers=1))
    assert multiprocessing.active_children() == []
    del unused


@pytest.mark.parametrize("workers", [0, 1])
def test_an_iterator_takes_one_number_from_the_global_generator(workers):
    """As PyTorch's own would: rows of trainings that draw random numbers are made again to the bit."""
    torch.manual_seed(0)
    for _ in range(2):
        torch.empty((), dtype=torch.int64).random_()
    expected = torch.rand(1)
    torch.manual_seed(0)
    own = Batches(Subset(Sight(), range(4)), 4, 1, workers)
    iter(own)
    list(iter(own))
    assert torch.equal(torch.rand(1), expected)


def test_the_server_of_workers_imports_the_task_that_is_open(monkeypatch):
    seen: dict[str, object] = {}
    preload = multiprocessing.context.ForkServerContext.set_forkserver_preload
    monkeypatch.setattr(
        multiprocessing.context.ForkServerContext,
        "set_forkserver_preload",
        lambda self, names: seen.update(names=names) or preload(self, names),
    )
    monkeypatch.setattr(forkserver, "ensure_running", lambda: seen.update(gpu=os.environ["CUDA_VISIBLE_DEVICES"]))
    problem = registry.load_task("mri").open(registry.track("mri:mini"))
    start_server(problem)
    assert {"bench.evaluation.batches", "tasks.mri", "tasks.physics.mri"} <= set(seen["names"])
    assert not any(name.startswith("baselines") for name in seen["names"])
    assert seen["gpu"] == ""


def test_workers_see_no_gpu_and_this_process_sees_the_same_as_before(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    ((_, _, params),) = Batches(Subset(Sight(), range(4)), 4, 1, workers=1)
    assert not params["seen"].any()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with blind():
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_workers_whose_batches_do_not_fit_into_shared_memory_are_not_started(monkeypatch):
    size = 4 * (5 + 3 + 2) + 8  # bytes of a sample
    monkeypatch.setattr(batches.shutil, "disk_usage", lambda path: Usage(2 * 3 * 10 * size * 5))
    assert room(Subset(Sight(), range(4)), 10) == 5
    assert Batches(Subset(Sight(), range(4)), 100, 1, workers=4).loader.num_workers == 0


class Parent:
    """A training that lives while some images are loaded."""

    def __init__(self, images):
        self.images = images

    def is_alive(self):
        self.images -= 1
        return self.images >= 0


def test_a_maker_loads_its_share_in_order_while_the_training_lives(monkeypatch):
    own = {batches.os: ["nice"], batches.signal: ["signal", "pthread_sigmask"], batches.torch: ["set_num_threads"]}
    for module, names in own.items():
        for name in names:
            monkeypatch.setattr(module, name, lambda *arguments: None)
    monkeypatch.setattr(batches.multiprocessing, "parent_process", lambda: Parent(3))
    loaded = []

    def load(name):
        loaded.append(name)
        raise OSError("told by whoever draws the image")

    problem = replace(toy.open_track(toy.MINI), images={"train": Images(tuple("abcdefghij"), load)})
    stream = TrainingStream(toy.MINI, problem, 0, 20)
    make(stream, 1, 3)
    assert loaded == [stream.name(1), stream.name(4), stream.name(7)]
    joining = replace(problem, images={"train": Images(tuple("abcdefghij"), load, join_every=2)})
    assert TrainingStream(toy.MINI, joining, 0, 20).first_names() == list("abcdefghij")


def test_phantoms_are_made_by_processes_that_end_with_the_batches():
    """On tracks whose images take long; others have no such processes."""
    kinds = {}
    for name in ("nodules:mini", "ct:mini"):
        track = registry.track(name)
        kinds[name] = makers(TrainingStream(track, registry.load_task(track.task).open(track), 0, 8), 0, 1)
    assert kinds["ct:mini"] is None
    few = Makers(kinds["nodules:mini"].stream, 2, 1, 2)
    assert few.shares == [(2, 4), (3, 4)]
    left = iter(Batches(Subset(Sight(), range(4)), 2, 2, 1, few))
    next(left)
    assert len(few.processes) == 2
    assert all(process.is_alive() for process in few.processes)
    started = list(few.processes)
    left.close()  # in the middle
    for process in started:
        process.join(60)
        assert process.exitcode == -signal.SIGTERM


def test_a_gpu_is_fed_by_spare_processors_and_a_training_on_the_cpu_by_itself(monkeypatch):
    monkeypatch.delenv("BENCH_WORKERS", raising=False)
    assert spare_workers("cpu", 1) == 0
    for count, devices, expected in ((1, 1, 0), (4, 1, 3), (16, 1, 12), (16, 4, 3)):
        monkeypatch.setattr(batches, "processors", lambda n=count: n)
        assert spare_workers("cuda", devices) == expected
    monkeypatch.setenv("BENCH_WORKERS", "2")
    assert spare_workers("cpu", 1) == 2
    monkeypatch.setenv("BENCH_WORKERS", "few")
    with pytest.raises(BenchError, match="BENCH_WORKERS=few is not a whole number"):
        spare_workers("cuda", 1)
