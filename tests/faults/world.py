"""Commands that are disturbed, and the truth that they are held to: the results of the same command undisturbed.

This process imports the heavy libraries once. Each command is forked from it and forks its own processes, so that one
takes two seconds; the kind "server" of `kills` starts real ones.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import toy

from bench.errors import BenchError
from bench.runs.records import Result, finished

HANGS = 90.0  # seconds after which a command is taken to hang
ENDS = 5.0  # seconds in which the processes of a command that has ended are gone
Finished = dict[str, int]  # {key: inode of its result}


@dataclass
class Ended:
    """How a command ended: its exit status, below 0 for a signal, and all that it printed."""

    status: int
    output: str


class Command:
    """`bench WORDS` on a store, at work in a process of its own."""

    def __init__(self, words: Sequence[str], store: Path, prepare: Callable[[], None] = lambda: None) -> None:
        self.receiver, sender = os.pipe()
        self.started = time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _live(words, store, prepare, sender)
        os.close(sender)
        self.process = psutil.Process(self.pid)
        self.status: int | None = None

    def running(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is None

    def family(self) -> list[psutil.Process]:
        """The processes that the command has started."""
        try:
            return self.process.children(recursive=True)
        except psutil.Error:
            return []

    def sleep(self, seconds: float) -> None:
        """Wait while it works."""
        until = time.monotonic() + seconds
        while self.running() and time.monotonic() < until:
            time.sleep(0.005)

    def end(self) -> Ended | None:
        """Wait for its end; None where it hangs, and it is killed then."""
        self.sleep(HANGS)
        hangs = self.running()
        if hangs:
            for process in [*self.family(), self.process]:
                kill(process, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = -signal.SIGKILL
        output = b""
        os.set_blocking(self.receiver, False)  # a process left behind may hold the other end
        try:
            while block := os.read(self.receiver, 1 << 16):
                output += block
        except BlockingIOError:
            pass
        os.close(self.receiver)
        assert self.status is not None
        return None if hangs else Ended(self.status, output.decode("utf-8", "replace"))


def _live(words: Sequence[str], store: Path, prepare: Callable[[], None], sender: int) -> None:
    """The life of a command's process."""
    status = 70  # of an exception that the command has not caught
    try:
        os.setsid()
        os.dup2(sender, 1)
        os.dup2(sender, 2)
        # The harness may write to files, which can tell their position; the command writes to a pipe.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
        os.environ["BENCH_STORE"] = str(store)
        from bench.cli import main

        prepare()
        status = main(list(words))
        sys.stdout.flush()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # never back into the harness


def kill(process: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        process.send_signal(number)


def left_behind(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still work some seconds later."""
    _, alive = psutil.wait_procs(processes, timeout=ENDS)
    found = []
    for process in alive:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


class World:
    """The toy task, two methods on two seeds each, and their results undisturbed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        toy.install(root / "site")
        sys.path.insert(0, str(root / "site"))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(root / "site"), str(toy.HOME), *filter(None, sys.path[:4])])
        shrink = toy.method_file(root, "shrink", toy.SHRINK)
        self.network = toy.method_file(root, "net", toy.TINY_NETWORK, "LearnedMethod")
        methods = ["-m", shrink, "-m", self.network]
        self.words = ["run", "toy", *methods, "--seed", "0", "1", "--cpu", "--jobs", "2"]
        self.store = root / "reference"
        start = time.monotonic()
        ended = Command(self.words, self.store).end()
        self.seconds = time.monotonic() - start
        if ended is None or ended.status:
            raise SystemExit(f"the undisturbed command failed: {ended}")
        self.scores = {path.name: result_of(path).per_image for path in self.run_dirs(self.store)}
        assert len(self.scores) == 4

    @staticmethod
    def run_dirs(store: Path) -> list[Path]:
        return sorted((store / "runs").glob("[0-9a-f]*"))

    def new_store(self, filled: bool = False) -> Path:
        store = Path(tempfile.mkdtemp(dir=self.root, prefix="store-"))
        if filled:
            shutil.copytree(self.store, store, dirs_exist_ok=True)
        return store

    def finished(self, store: Path) -> Finished:
        found = {}
        for path in self.run_dirs(store):
            if finished(path):
                found[path.name] = (path / "result.json").stat().st_ino
        return found

    def wrong(self, store: Path) -> list[str]:
        """The keys of which the store holds no result, or another one than undisturbed."""
        wrong = []
        for key, scores in self.scores.items():
            try:
                result = result_of(store / "runs" / key)
                if result.status != "ok" or result.per_image != scores:
                    wrong.append(key)
            except BenchError:
                wrong.append(key)
        return wrong


def result_of(run_dir: Path) -> Result:
    return Result.read(run_dir / "result.json")
