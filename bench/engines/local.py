"""The engine of one machine: pieces of work in processes of their own, several at a time, each within its limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from bench.engines.processes import clean, context, end, how_it_ended, signals_held, stop_if_asked, work


@dataclass(frozen=True, eq=False)
class Task:
    """A call of ``function(*arguments, report)`` in a process of its own, which is killed after ``seconds``."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    seconds: float
    devices: int = 1  # GPUs that it may see


@dataclass(frozen=True)
class Ended:
    """How a piece of work ended: with its value, or with the reason why there is none."""

    task: Task
    value: Any
    error: str
    seconds: float
    stage: str = ""  # the last one that it reported


@dataclass
class Working:
    """A process at work."""

    task: Task
    process: Any
    slot: int
    started: float = field(default_factory=time.monotonic)
    stage: str = "starting"
    error: str = ""
    value: Any = None
    answered: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


class LocalEngine:
    """Works through tasks on this machine, ``size`` at a time, on the GPUs of ``visible`` where there are any."""

    def __init__(self, size: int, visible: Sequence[str] = ()) -> None:
        self.size = size
        self.visible = list(visible)
        self.working: dict[Connection, Working] = {}

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Ended:
        """One piece of work, waited for."""
        (ended,) = self.work([Task(function.__name__, function, arguments, seconds)])
        return ended

    def work(self, tasks: Iterable[Task], tick: Callable[[], None] = lambda: None) -> Iterator[Ended]:
        """Do all tasks and yield how each ended, in the order of their ends. ``tick`` is called about every second.

        The next task is asked for when there is room to start it.
        A process that dies, hangs or leaves children behind costs its own task alone. When the caller stops to
        iterate, everything at work is ended.
        """
        pending = iter(tasks)
        free = list(range(self.size))
        try:
            while True:
                stop_if_asked()
                while free and (task := next(pending, None)):
                    self._start(task, free.pop(0))
                if not self.working:
                    return
                spoke = wait(list(self.working), timeout=1.0)
                # Children that a method has left behind may hold the connection of a process that has ended.
                gone = [one for one, working in self.working.items() if working.process.exitcode is not None]
                late = [one for one, working in self.working.items() if working.seconds > working.task.seconds]
                for connection in {*spoke, *gone, *late}:
                    assert isinstance(connection, Connection)
                    if self._listen(connection, late=connection in late):
                        working = self.working.pop(connection)
                        end(working.process)
                        connection.close()
                        free.append(working.slot)
                        yield self._ended(working)
                tick()
        finally:
            for connection, working in self.working.items():
                end(working.process)
                connection.close()
            self.working.clear()

    def _start(self, task: Task, slot: int) -> None:
        multiprocessing = context()
        receiver, sender = multiprocessing.Pipe(duplex=False)
        environment = clean(os.environ)
        if self.visible:
            count = task.devices
            slots = range(slot * count, (slot + 1) * count)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self.visible[i % len(self.visible)] for i in slots)
        arguments = (task.function, task.arguments, environment, sender, 0)
        process = multiprocessing.Process(target=work, args=arguments)
        with signals_held():
            process.start()
            self.working[receiver] = Working(task, process, slot)
        sender.close()

    def _listen(self, connection: Connection, late: bool) -> bool:
        """Take what a process has sent; whether it is done with its task."""
        working = self.working[connection]
        ended = working.process.exitcode is not None  # asked first: what it sent before its end is there by now
        try:
            while connection.poll():
                kind, content = connection.recv()
                if kind == "stage":
                    working.stage = content
                else:
                    working.answered = True
                    working.error, working.value = (content, None) if kind == "error" else ("", content)
        except (EOFError, OSError):
            working.process.join(5.0)
            return True
        except Exception as error:  # what cannot be unpickled
            working.error, working.answered = f"its answer cannot be read: {error}", True
        if late and not working.answered:
            working.error = f"it went over its time of {working.task.seconds:.0f} s"
            working.answered = True
        return working.answered or ended

    @staticmethod
    def _ended(working: Working) -> Ended:
        error = working.error if working.answered else how_it_ended(working.process.exitcode or 0)
        return Ended(working.task, working.value, error, working.seconds, working.stage)
