"""Many runs: skip the finished ones, claim the others, and fan out over an engine, while a tracker follows them."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from bench.engines.console import Console, Report
from bench.engines.describe import TIME
from bench.engines.describe import devices as find_devices
from bench.engines.engine import Engine
from bench.engines.execute import conclude, execute
from bench.engines.local import LocalEngine, Task
from bench.engines.processes import clean, context, end, hurried, signals_held, work
from bench.errors import BenchError
from bench.places import open_runs, runs, store
from bench.runs.checkpoints import clear_interrupted
from bench.runs.records import Result, finished
from bench.runs.spec import Spec
from bench.runs.store import Claim, clear_scratch, held, hold, take
from bench.settings import processors, threads
from bench.tracking import address, journal, mirror, tracker

GRACE = 60.0  # seconds beyond the time of a run, to write and to log it
GPU_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # of NVIDIA, of Windows' Linux, of AMD: without, no GPU
PATIENCE = 15.0  # seconds that a command waits at its end while nothing is handed in to MLflow
WAITS = "waiting until `bench time` has ended, which measures alone on this store"
POLL = 1.0  # seconds between looks at the runs of another command
LOOK = 0.1  # seconds between looks at whether a second signal has come


@dataclass(frozen=True)
class Machine:
    """What this machine offers to runs: GPUs by their names, or none."""

    accelerator: Literal["cpu", "cuda"]
    visible: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.visible) if self.accelerator == "cuda" else processors()

    def jobs(self, devices: int) -> int:
        """As many runs at a time as there are GPUs, or processors, for them."""
        return max(1, self.count // devices // (1 if self.accelerator == "cuda" else threads()))


def look_around(*, cpu: bool) -> Machine:
    """The accelerator to use, found out in a process of its own: a question to CUDA has consequences."""
    if cpu or not any(Path(node).exists() for node in GPU_NODES):
        return Machine("cpu", ())
    answer = LocalEngine(1).call(find_devices, seconds=TIME)
    if answer.error:
        raise BenchError(f"cannot tell whether there is a GPU: {answer.error}. Give --cpu to do without.")
    return Machine("cuda" if answer.value else "cpu", tuple(answer.value))


def check_devices(devices: int, machine: Machine) -> None:
    """Raise a `BenchError` where one run asks for more than there are."""
    if devices > machine.count:
        kind = "GPUs" if machine.accelerator == "cuda" else "processors"
        raise BenchError(f"--devices {devices}: this machine has {machine.count} {kind}. Ask for at most that.")


def run_grid(specs: Sequence[Spec], engine: Engine, *, force: bool = False, report: Report = print) -> int:
    """Run what is not finished. Returns the number of runs that failed.

    A run that another command works on, here or on another machine with the same store, is left to that command.
    """
    clear_scratch(open_runs())
    planned = {spec.key: spec for spec in specs}
    pending = [spec for spec in planned.values() if force or not is_done(spec)]
    done = len(planned) - len(pending)
    if done:
        report(f"{done} of {len(planned)} done, {len(pending)} to go")
    pending = longest_first(pending)
    console = Console(len(pending), report)
    claimed = Claimed((), force)
    waiting = False  # and the user knows
    try:
        while pending:
            claimed = Claimed(pending, force)
            for ended in engine.work(claimed, tick=lambda: console.show(engine)):
                spec, claim = claimed.taken.pop(ended.task)
                console.ended(spec, conclude(spec, ended), ended.seconds)
                claim.__exit__()
            pending = claimed.passed_over
            for spec in [spec for spec in pending if not held(claim_path(spec)) and finished(runs() / spec.key)]:
                pending.remove(spec)
                console.elsewhere(spec)
            pending = [*pending, *claimed.postponed]
            if pending and not claimed.ever:
                if claimed.postponed and not waiting:
                    waiting = True
                    report(WAITS)
                time.sleep(POLL)
    finally:
        for _, claim in claimed.taken.values():
            claim.__exit__()
        clear_scratch(runs())  # of runs that crashed or were stopped
        clear_interrupted()
    return console.failures


def longest_first(specs: Iterable[Spec]) -> list[Spec]:
    """Trainings before the others, which fill the gaps."""
    return sorted(specs, key=lambda spec: not spec.method.learned)


class Claimed(Iterable[Task]):
    """The tasks of the specs that no other command works on or has done; each is claimed when an engine can start it.

    With ``force`` finished ones are done again.
    """

    def __init__(self, specs: Sequence[Spec], force: bool) -> None:
        self.specs, self.force = specs, force
        self.passed_over: list[Spec] = []
        self.postponed: list[Spec] = []  # until times have been measured
        self.taken: dict[Task, tuple[Spec, Claim]] = {}  # at work
        self.ever = False  # whether a run was begun

    def __iter__(self) -> Iterator[Task]:
        for spec in self.specs:
            claim = take(claim_path(spec))
            if claim is None:
                self.passed_over.append(spec)
                continue
            claim.__enter__()
            if held(timing_claim()):  # looked at only now: either this command or `bench time` sees the other's claim
                claim.__exit__()
                self.postponed.append(spec)
                continue
            if is_done(spec) and not self.force:  # another command ended it a moment ago
                claim.__exit__()
                self.passed_over.append(spec)
                continue
            seconds = float(spec.budget["seconds"]) + GRACE
            task = Task(f"{spec.track} {spec.name}", execute, (spec.to_json(),), seconds, spec.devices)
            self.taken[task] = spec, claim
            self.ever = True
            yield task


def is_done(spec: Spec) -> bool:
    """Whether the run need not be done: it is finished, and not of uncommitted code that is committed now."""
    try:
        result = Result.read(runs() / spec.key / "result.json")
    except BenchError:
        return False
    return result.status != "failed" and (bool(spec.dirty_reason) or not result.dirty)


def claim_path(spec: Spec) -> Path:
    return claims() / spec.key


def claims() -> Path:
    """The folder of claims: of runs by their keys, and of other commands at work."""
    return store() / "claims"


def timing_claim() -> Path:
    """The claim of the one command that measures times."""
    return claims() / "timing"


@contextmanager
def working(name: str, report: Report = print) -> Iterator[None]:
    """In the block no times are measured on this store. Waits until a measurement at work has ended."""
    with hold(claims() / f"{name}-{secrets.token_hex(6)}"):
        if held(timing_claim()):
            report(WAITS)
        while held(timing_claim()):
            time.sleep(POLL)
        yield


@contextmanager
def measuring() -> Iterator[None]:
    """In the block other commands on this store wait. Raises `BenchError` while one of them works."""
    alone = take(timing_claim())
    if alone is None:
        raise BenchError(f"another `bench time` is at work on {store()}. Try again when it ends.")
    with alone:
        if busy := [path for path in claims().glob("*") if path != timing_claim() and held(path)]:
            raise BenchError(
                f"{len(busy)} runs are at work on {store()}. Times are measured alone: try again when they end."
            )
        yield


@contextmanager
def track(specs: Sequence[Spec], *, force: bool = False, report: Report = print) -> Iterator[None]:
    """In the block runs are followed; at its end the command waits until MLflow has them, or does not answer."""
    to_do = force or any(not is_done(spec) for spec in specs)
    if not address.available() or not (to_do or mirror.untracked() or journal.journals()):
        yield
        return
    multiprocessing = context()
    answers, sender = multiprocessing.Pipe(duplex=False)
    receiver, stop = multiprocessing.Pipe(duplex=False)
    arguments = (tracker.serve, (receiver,), clean(os.environ), sender, 0)
    process = multiprocessing.Process(target=work, args=arguments)
    with signals_held():
        process.start()
    sender.close()
    receiver.close()
    try:
        with journal.comparison(shlex.join(["bench", *sys.argv[1:]])):
            yield
    finally:
        try:
            wait_for(answers, stop, report)
        finally:
            end(process)
            stop.close()
            answers.close()


def wait_for(answers: Connection, stop: Connection, report: Report) -> None:
    """Ask a tracker to end and wait while it makes progress; a second signal to stop ends the wait."""
    with suppress(OSError, EOFError):
        stop.send(None)
        while answered(answers):
            kind, content = answers.recv()
            if kind == "value":
                return
            if kind == "error":
                report(f"not tracked: {content}. The runs are kept and sent later.")
                return
        if not hurried():
            report("not tracked: MLflow does not answer. The runs are kept and sent later.")


def answered(answers: Connection) -> bool:
    """Whether an answer is there or comes in time, unless a second signal asks to stop."""
    end = time.monotonic() + PATIENCE
    while not hurried() and time.monotonic() < end:
        if answers.poll(LOOK):
            return True
    return False
