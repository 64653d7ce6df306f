"""Training alone on the device: steps per second and the share of the time in which the card works.

One method trains on a real track of every task and data set at hand (`rows`), and each learned method on a mini track
that it supports (`mini_training`). Steps are counted from near the start of a training: data that are made on first use
are part of it. One training has the card; others start meanwhile, and wait for it at their first step. On real tracks
nothing is counted until all have come so far, and what draws samples for those who wait is stopped, so that no other
takes the processors from a training that is counted. What makes phantoms ahead, with the lowest priority, goes on.
On a mini track, where steps are counted for a moment, a training draws its samples by itself and records nothing:
workers and recordings would take longer.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contract import registry
from bench.contract.construct import unsupported
from bench.data import manifest
from bench.engines.local import LocalEngine, Task
from bench.errors import BenchError
from tests.gpu_check.busy import Busy
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.recordings import told
from tests.gpu_check.report import FAILED, NOTE, OK, SHORT, Row

HOME = ("mri:mini", "ct:mini", "denoising:mini", "qsm:mini")  # in this order of preference
ON_REAL = ("unet", "oracle")  # the first that a real track supports: the fastest, for the data
ONLY = ("unet",)  # in short
WARM_UP, WARM_STEPS = 1.0, 5  # seconds after the first step, on mini tracks or steps, before the count begins
COUNTED, COUNTED_MINI = 3.0, 1.0  # seconds, on real and on mini tracks
LIMIT = 200.0  # seconds of one training, its data, its imports and its wait for the card
TURN = 30  # seconds of them that a training may have the card
TURN_OVER = "its turn"
STARTS = 0.5  # of the time of all, after which a training is counted beside others that have not started yet
STARTING = 6  # trainings on mini tracks at a time beside a card, of which one has it
BUSY = 90.0  # percent of the time, on real tracks
ENDLESS = 10**6  # steps
LOWEST = 19  # of the priorities: "niceness"


class Enough(Exception):
    """The count is over."""


def rows(plan: Plan) -> Iterator[Row]:
    answer = LocalEngine(1).call(on_real, seconds=LIMIT)
    if answer.error:
        yield Row(FAILED, "methods and tracks", answer.error)
        return
    chosen, missing = answer.value
    yield from trained(plan, chosen, len(chosen))
    if missing:
        yield Row(NOTE, "real data that are not here", ", ".join(missing))


def trained(plan: Plan, chosen: list[tuple[str, str]], together: int) -> Iterator[Row]:
    """A row of each method with its track, ``together`` at a time beside a card."""
    engine = LocalEngine(max(1, together) if plan.device == "cuda" else 1, plan.visible)
    folder = Path(plan.folder) / "trainings"
    folder.mkdir(exist_ok=True)
    end = time.monotonic() + STARTS * plan.seconds
    tasks = [
        Task(f"{method} on {track}", train_for, (method, track, plan.device, counted(track), str(folder), end), LIMIT)
        for method, track in chosen
    ]
    waiting = {task.name: task for task in tasks}
    try:
        for ended in engine.work(tasks):
            del waiting[ended.task.name]
            yield row_of(ended.task.name, ended.value, ended.error, plan.device)
    except OutOfTime:
        stop_clock()
        for name in waiting:
            yield Row(FAILED, name, f"not trained within the {plan.seconds:.0f} s of this part")


def counted(track: str) -> float:
    """The seconds in which the steps of a training on a track are counted."""
    return COUNTED_MINI if is_mini(track) else COUNTED


def is_mini(name: str) -> bool:
    return ":mini" in name


def on_real(report: Callable[[str], None]) -> tuple[list[tuple[str, str]], list[str]]:
    """A method for the first track of each task and data sets, and the data that are missing."""
    real = {(one.task, one.data): one for one in reversed(registry.all_tracks()) if one.data}
    missing = sorted({name for one in real.values() for name in one.data if not present(name)})
    chosen = []
    for track in reversed(real.values()):
        if not set(track.data) & set(missing):
            chosen += [(name, track.id) for name in ON_REAL if not unsupported(registry.load_method(name), track)][:1]
    return chosen, missing


def on_minis(only: Sequence[str], report: Callable[[str], None]) -> list[tuple[str, str]]:
    """The learned methods, or ``only`` those, each with the first mini track that it supports."""
    learned = {name: method for name in registry.methods() if (method := registry.load_method(name)).learned}
    mini = sorted(registry.select_tracks(["*:mini*"]), key=lambda one: HOME.index(one.id) if one.id in HOME else 99)
    chosen = []
    for name in only or learned:
        chosen += [(name, track.id) for track in mini if not unsupported(learned[name], track)][:1]
    return chosen


def present(name: str) -> bool:
    try:
        manifest.need(name)
    except BenchError:
        return False
    return True


def train_for(
    method_name: str,
    track_name: str,
    device: str,
    seconds: float,
    folder: str,
    end: float,
    report: Callable[[str], None],
) -> tuple[float, float, float | None, str]:
    """Train without end, and stop ``seconds`` after the warm-up.

    Returns steps, seconds, the busy share or None, and why networks were not recorded where that failed.

    Whoever locks the file "turn" in ``folder`` has the card; the lock ends with the process. The starts of others are
    waited for until ``end``, by the clock of the machine.
    """
    start = None
    if is_mini(track_name):
        os.environ.update(BENCH_WORKERS="0", BENCH_RECORDED="off")
    else:
        start = Start(Path(folder))
    import torch
    from pytorch_lightning import seed_everything

    from bench.contract.construct import build
    from bench.contract.determinism import deterministic
    from bench.evaluation.train import train

    seed_everything(0, verbose=False)
    deterministic()  # as `bench run` trains
    track = registry.track(track_name)
    track = replace(track, budget=replace(track.budget, steps=ENDLESS))
    problem = registry.load_task(track.task).open(track)
    method: Any = build(registry.load_method(method_name), track, {})
    count: dict[str, float] = {}
    busy = Busy(device)

    def synchronised() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.monotonic()

    def at_step(batch: Any, step: int) -> None:
        if "begun" not in count:
            with standstill():
                if start:
                    start.over()
                fcntl.flock(lock, fcntl.LOCK_EX)
                wait_for_starts(Path(folder), end)
            count["begun"] = time.monotonic()
            signal.signal(signal.SIGALRM, turn_is_over)
            signal.alarm(TURN if device == "cuda" else 0)
        elif "first" not in count:
            count["first"] = synchronised()  # it makes plans and kernels
        elif "from" not in count:
            if time.monotonic() - count["first"] >= WARM_UP or (start is None and step >= WARM_STEPS):
                busy.__enter__()
                count.update({"from": synchronised(), "step": step})
        elif time.monotonic() - count["from"] >= seconds:
            count.update({"to": synchronised(), "steps": step - count["step"]})
            raise Enough

    method.on_train_batch_start = at_step
    try:
        with (Path(folder) / "turn").open("w") as lock, warnings.catch_warnings(record=True) as said:
            train(method, track, problem, seed=0, accelerator=device, report=report)
    except Enough:
        busy.__exit__()
        return count["steps"], count["to"] - count["from"], busy.share, told(said)
    finally:
        signal.alarm(0)
    raise BenchError(f"the training ended after {ENDLESS} steps")


def turn_is_over(*_: object) -> None:
    raise BenchError(f"{TURN_OVER} of {TURN} s on the card was over before the count")


@contextmanager
def standstill() -> Iterator[None]:
    """The children of this process stand still, but for those of the lowest priority, which make phantoms ahead."""
    import psutil

    children = [one for one in psutil.Process().children(recursive=True) if one.nice() < LOWEST]
    each(psutil.Process.suspend, children)
    try:
        yield
    finally:
        each(psutil.Process.resume, children)


def each(act: Callable[[Any], None], processes: Sequence[Any]) -> None:
    """Does something to processes, of which any may have ended."""
    from psutil import NoSuchProcess

    for process in processes:
        with suppress(NoSuchProcess):
            act(process)


class Start:
    """The start of a training, which others can see: a file that is locked as long as it lasts, and gone after it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{os.getpid()}.starting"
        self.file = self.path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def over(self) -> None:
        self.path.unlink(missing_ok=True)
        self.file.close()


def wait_for_starts(folder: Path, end: float) -> None:
    """Until no `Start` in a folder lasts, or the clock shows ``end``."""
    while any(map(lasts, folder.glob("*.starting"))) and time.monotonic() < end:
        time.sleep(0.1)


def lasts(path: Path) -> bool:
    """Whether a file is there and locked; the lock of a process that died is gone."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def row_of(what: str, value: Any, error: str, device: str) -> Row:
    real = not is_mini(what)
    if error:
        slow = real and ("went over its time" in error or TURN_OVER in error)
        return Row(SHORT if slow else FAILED, what, error)
    steps, seconds, share, said = value
    seen = f"card busy {share:.0f} %" if share is not None else "card's busy share not seen"
    found = f"{steps / seconds:.3g} steps/s, {seen}" + (said and f"; {said}")
    details = {"steps_per_second": steps / seconds, "busy_percent": share}
    if not real or share is None:
        return Row(OK, what, found, details=details)
    return Row(OK if share >= BUSY else SHORT, what, found, f"busy at least {BUSY:.0f} %", details=details)
