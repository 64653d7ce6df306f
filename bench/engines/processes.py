"""Processes that each do one piece of work: they are started so that CUDA works in them, and end with this one.

On Linux they are forked from a server that has imported the heavy libraries and sees no GPU (`import deepinv` would
initialise CUDA, and a process forked after that can't use it). The server imports no method, so that no method's code
meets another's. On macOS, where a fork after such imports is unsafe, processes are spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from bench.errors import BenchError
from bench.places import ROOT
from bench.settings import threads

START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
PRELOADED = ["bench.engines.server_imports"]
# The server sees no GPU, and asks the driver's library, not CUDA, whether there is one.
BLIND = {"CUDA_VISIBLE_DEVICES": "", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
# Variables of clusters and launchers by which Lightning would take a lone process for a part of a larger run.
LAUNCHERS = (
    *("SLURM_", "OMPI_COMM_WORLD_", "PMI_", "LSB_", "JSM_", "KUBEFLOW", "TORCHELASTIC_", "LIGHTNING_", "MASTER_"),
    *("LOCAL_RANK", "GLOBAL_RANK", "GROUP_RANK", "RANK", "WORLD_SIZE", "NODE_RANK"),
)

STOPPING = (signal.SIGINT, signal.SIGTERM)  # signals that stop a command

Report = Callable[[str], None]


def context() -> Any:
    """The multiprocessing context; its server has its imports from now on."""
    found = multiprocessing.get_context(START_METHOD)
    if START_METHOD == "forkserver":
        from multiprocessing import forkserver, resource_tracker

        found.set_forkserver_preload(PRELOADED)
        resource_tracker.ensure_running()  # now: its start lets signals go that are held
        before = dict(os.environ)
        path = os.pathsep.join(filter(None, [str(ROOT), before.get("PYTHONPATH", "")]))
        try:
            os.environ.update(clean(before) | BLIND | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"})
            with signals_held():  # the server inherits this: Ctrl-C in a terminal is no error of its imports
                forkserver.ensure_running()
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]
            os.environ.update(before)
        wait_for_server(found)
    return found


def wait_for_server(multiprocessing: Any) -> None:
    """Wait for the first answer of a server, which imports for seconds: here a signal stops the command at once.

    Where processes are started, signals are held.
    """
    pid = server()._forkserver_pid
    if pid not in _answered:
        first = multiprocessing.Process(target=os.getpid)
        first.start()
        first.join()
        _answered.append(pid)


_answered: list[int] = []  # servers, by their process numbers


def server() -> Any:
    """The server of this process, as the standard library keeps it."""
    from multiprocessing import forkserver

    return forkserver._forkserver  # type: ignore[attr-defined]


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without launchers' variables, with sums on one thread unless `BENCH_THREADS` says otherwise."""
    kept = {name: value for name, value in environment.items() if not name.startswith(LAUNCHERS)}
    return kept | {"OMP_NUM_THREADS": str(threads()), "PYTHONHASHSEED": "0", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}


def work(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    environment: dict[str, str],
    connection: Connection,
    parent: int,
) -> None:
    """The life of a process: call ``function(*arguments, report)``, send its value or why there is none, and end.

    The process leads a session of its own: the signals of a terminal reach the command alone, which then ends its
    processes and everything they have started.
    """
    os.setsid()
    end_with_parent(parent)
    end_with_command()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(int(environment["OMP_NUM_THREADS"]))
    try:
        value = function(*arguments, partial(send_stage, connection))
        connection.send(("value", value))
    except BrokenPipeError:
        os._exit(1)
    except BaseException as error:
        if not isinstance(error, BenchError):
            traceback.print_exc()
        text = " ".join(str(error).split())
        name = "" if isinstance(error, BenchError) else type(error).__name__
        connection.send(("error", ": ".join(filter(None, [name, text]))))
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # without exit handlers of libraries that the server imported


def send_stage(connection: Connection, stage: str) -> None:
    """Tell the command how far its work is, and end where the command has been killed: nobody waits for the outcome."""
    try:
        connection.send(("stage", stage))
    except OSError:
        os._exit(1)


def end_with_parent(parent: int) -> None:
    """On Linux ask the kernel to end this process with its parent, however that one ends.

    The parent of a forked process is the server, which ends with the command. By SIGKILL: while a method works,
    Lightning takes SIGTERM for a request to stop after the batch.
    """
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent and os.getppid() != parent:
            os._exit(1)


def end_with_command() -> None:
    """End this process and all that it has started when the command has ended, even by SIGKILL.

    The server ends when nobody holds its pipe any more: this process, which was handed the pipe, lets go of it. A
    thread beside that waits for the end of the command, and takes the children of this process with it.
    """
    if START_METHOD == "forkserver" and server()._forkserver_alive_fd is not None:
        os.close(server()._forkserver_alive_fd)
        server()._forkserver_alive_fd = None
    command = multiprocessing.parent_process()
    if command is not None:

        def watch() -> None:
            command.join()
            os.killpg(os.getpid(), signal.SIGKILL)

        threading.Thread(target=watch, daemon=True).start()


def stop_on_signals() -> None:
    """Ctrl-C and SIGTERM stop this command, where a process receives signals: in the main thread.

    The first one raises an exception. Further ones raise none, so that the command tidies up in peace.
    """
    if threading.current_thread() is threading.main_thread():
        _stop.signals.clear()
        _stop.raised = False
        for number in STOPPING:
            signal.signal(number, _on_signal)
        sys.unraisablehook = _unraisable
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)  # whoever started this command may have held them


def hurried() -> bool:
    """Whether a second signal has come, so that what takes long while the command stops is left out."""
    return len(_stop.signals) > 1


@contextmanager
def signals_held() -> Iterator[None]:
    """Signals that stop a command wait while a process is started: an exception in a callback at a fork is lost."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop_if_asked() -> None:
    """Stop after a signal whose exception was lost: Python drops one that is raised in a callback (at a fork, say)."""
    if _stop.signals:
        _stop.raised = True
        raise KeyboardInterrupt if _stop.signals[0] == signal.SIGINT else SystemExit(128 + _stop.signals[0])


@dataclass
class Stop:
    """The signals that have asked this command to stop, and whether the exception of the first is on its way."""

    signals: list[int] = field(default_factory=list)
    raised: bool = False


_stop = Stop()


def _on_signal(number: int, frame: object) -> None:
    _stop.signals.append(number)
    if not _stop.raised:
        stop_if_asked()


def _unraisable(lost: Any) -> None:
    """Passes over the exception of a signal that was raised where Python drops it.

    `stop_if_asked` raises it again, or the next signal.
    """
    if _stop.signals and isinstance(lost.exc_value, KeyboardInterrupt | SystemExit):
        _stop.raised = False
    else:
        sys.__unraisablehook__(lost)


def end_all() -> None:
    """Kill every process of this command and the server, which may still import; no signal interrupts this process now.

    A process may have escaped its owner where a signal came just after its start.
    """
    if threading.current_thread() is threading.main_thread():
        with signals_held():  # Python complains of a signal whose handler goes while it is on its way
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
    for process in multiprocessing.active_children():
        end(process)
    if START_METHOD == "forkserver" and server()._forkserver_pid is not None:
        with suppress(ProcessLookupError):
            os.kill(server()._forkserver_pid, signal.SIGKILL)
        server()._stop()


def end(process: Any) -> None:
    """Kill a process and everything it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.exitcode is None:
        process.kill()
    process.join()


def how_it_ended(exitcode: int) -> str:
    if exitcode >= 0:
        return f"the process ended with exit status {exitcode}"
    hint = " (out of memory?)" if exitcode == -signal.SIGKILL else ""
    return f"the process was killed by signal {-exitcode}{hint}"
