"""One run on several devices: a process for each, in a fresh interpreter, and a watch over all of them.

`python -m bench.engines.worker SPEC.json RUN_DIR` is the life of one, whose rank stands in LOCAL_RANK. When one of them
dies or is stopped, the others would wait for it in a collective operation: they are ended, and the run has failed.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench.engines.processes import clean, end_with_parent, how_it_ended
from bench.errors import BenchError
from bench.runs.records import finished
from bench.runs.run_directory import FAILURE, LOG, RESULT, SPEC
from bench.runs.spec import Spec
from bench.settings import threads

LOOK = 0.2  # seconds between two looks at the ranks
STOPPED = 50  # looks in a row at which a rank is stopped, after which it is given up
LAST = 30.0  # seconds that the ranks have to end when the run is over


def launch(spec: Spec, directory: Path) -> None:
    """Do a run on several devices. Raises `BenchError` where a rank has died without a result."""
    config = directory / SPEC
    config.write_text(spec.to_json(), encoding="utf-8")
    with (directory / LOG).open("w") as output:
        ranks = [
            subprocess.Popen(words(config, directory), env=environment, stdout=output, stderr=subprocess.STDOUT)
            for environment in environments(spec.devices)
        ]
        fault = watch(ranks, directory)
    if not fault and not (directory / RESULT).exists():
        fault = "the ranks ended without a result"
    if fault and not finished(directory):  # a rank that dies after the result was written costs nothing
        raise BenchError(fault)


def words(*paths: Path) -> list[str]:
    """The command of a rank."""
    return [sys.executable, "-m", "bench.engines.worker", *map(str, paths)]


def environments(count: int) -> list[Mapping[str, str]]:
    """The environment of each rank: Lightning finds in it that its processes are there already."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # A safe path: `-m` would look for packages in the working directory first.
    shared = clean(os.environ) | {"PYTHONSAFEPATH": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [shared | {"WORLD_SIZE": str(count), "NODE_RANK": "0", "LOCAL_RANK": str(rank)} for rank in range(count)]


def watch(ranks: Sequence[subprocess.Popen[bytes]], directory: Path) -> str:
    """Wait until all ranks have ended; returns the fault of the first that broke, "" where none did.

    With a fault the other ranks are killed. So are ranks that work on when the first has written the result, or when
    one has written that it failed.
    """
    result, failure = directory / RESULT, directory / FAILURE
    stopped = [0] * len(ranks)
    over = math.inf  # when the run was seen to be over
    try:
        while True:
            codes = [rank.poll() for rank in ranks]
            for number, code in enumerate(codes):
                stopped[number] = stopped[number] + 1 if code is None and is_stopped(ranks[number].pid) else 0
                if code or stopped[number] > STOPPED:
                    how = how_it_ended(128 - code if code > 128 else code) if code else "the process was stopped"
                    return f"rank {number} of {len(ranks)}: {how}"
            if None not in codes:
                return ""
            if result.exists() or failure.exists():
                over = min(over, time.monotonic())
            if time.monotonic() > over + LAST:
                return "" if result.exists() else json.loads(failure.read_text())[0]
            time.sleep(LOOK)
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()


def is_stopped(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.Error:
        return False


def end_on_sigterm() -> None:
    """SIGTERM ends this process at once, in whichever collective operation it waits.

    Lightning takes the signal for a wish to stop after the batch, of which the other ranks know nothing.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        with writer:  # held as long as the thread lives
            while signal.SIGTERM not in reader.recv(16):
                pass
            os._exit(128 + signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()


def main(arguments: list[str]) -> None:
    end_with_parent(os.getppid())
    end_on_sigterm()

    import torch

    from bench.runs.run import is_first_process, perform
    from bench.tracking import journal

    torch.set_num_threads(threads())
    path, directory = map(Path, arguments)
    spec = Spec.read(path)
    with journal.Writer(journal.path_of(spec.key)) as lines:
        point = lines.take if is_first_process() else lambda point: None
        look = perform(spec, directory, lambda stage: None, point)
    if look is not None:
        look(directory)


if __name__ == "__main__":
    main(sys.argv[1:])
