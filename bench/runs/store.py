"""Directories that are made whole or not at all, and claims: who works on a run, on this machine or another.

Work in progress lies in a scratch directory beside its target. The process that writes there holds a claim, a small
file that tells machine, process and start; it touches the file every few seconds. A claim whose
process is known to have ended, or that nobody has touched for minutes, is void, and its scratch can be cleared.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError
from bench.places import unwritable

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
HEARTBEAT = 5.0  # seconds between touches of a claim
VOID_AFTER = 120.0  # seconds without a touch after which a claim of another machine is void
NEW, OLD, CLAIM = "new", "old", "claim"  # kinds of scratch: .tmp-TOKEN-new-NAME, .tmp-TOKEN-old-NAME, .tmp-TOKEN-claim


@contextmanager
def whole_directory(target: Path) -> Iterator[Path]:
    """A scratch directory that becomes ``target``, replacing it, when the block ends well, and vanishes otherwise."""
    with scratch_directory(target.parent, target.name) as scratch:
        old = scratch.with_name(scratch.name.replace(f"-{NEW}-", f"-{OLD}-", 1))
        try:
            yield scratch
            if target.exists():
                target.rename(old)
            try:
                scratch.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            remedy = " Free some space or set BENCH_STORE." if error.errno in NO_ROOM else ""
            raise BenchError(f"cannot write {target}: {error.strerror or error}.{remedy}") from error


@contextmanager
def scratch_directory(folder: Path, name: str) -> Iterator[Path]:
    """A directory in ``folder`` under a claim of this process, which vanishes when the block ends."""
    token = secrets.token_hex(6)
    scratch, path = folder / f".tmp-{token}-{NEW}-{name}", folder / f".tmp-{token}-{CLAIM}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _create(path)  # first: scratch without a claim is cleared by anyone
        scratch.mkdir()
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise unwritable(folder, error) from None
    with Claim(path):
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def clear_scratch(folder: Path) -> None:
    """Remove the scratch of processes that have ended; give a directory that was being replaced its name back."""
    for path in folder.glob(".tmp-*"):
        token, _, rest = path.name.removeprefix(".tmp-").partition("-")
        kind, _, name = rest.partition("-")
        if kind not in (NEW, OLD):
            with suppress(OSError):  # a claim, or a file of the cache that was being written
                if not held(path) if kind == CLAIM else _age(path) > VOID_AFTER:
                    path.unlink()
            continue
        claim = path.with_name(f".tmp-{token}-{CLAIM}")
        if held(claim):
            continue
        with suppress(OSError):
            if kind == OLD and not (folder / name).exists():
                path.rename(folder / name)
            else:
                shutil.rmtree(path)
            claim.unlink(missing_ok=True)


class Claim:
    """A file of this process, which it touches while it works, in a ``with`` block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Claim:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self.stopped.wait(HEARTBEAT):
            with suppress(OSError):
                if self._is_mine():
                    os.utime(self.path)

    def _is_mine(self) -> bool:
        """Whether no other machine has found the claim void, after a long stall, and put its own there."""
        try:
            return self.path.read_text(encoding="utf-8") == self.text
        except OSError:
            return False


def hold(path: Path) -> Claim:
    """A claim at a ``path`` that no other process uses; what an ended one has left there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    _create(path)
    return Claim(path)


def take(path: Path) -> Claim | None:
    """A claim at ``path`` for this process, or None while another process holds it. A void claim is replaced.

    Raises `BenchError` where none can be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Claim(path) if _create(path) or (_clear_void(path) and _create(path)) else None
    except OSError as error:
        raise unwritable(path.parent, error) from None


def _clear_void(path: Path) -> bool:
    """Take away the claim of a process that has ended; whether that was this process's doing."""
    if held(path):
        return False
    aside = path.with_name(f".tmp-{secrets.token_hex(6)}-{CLAIM}")
    try:
        path.rename(aside)  # of several processes that find a claim void one alone moves it away
    except FileNotFoundError:
        return False
    theirs = held(aside)  # another process has replaced it in the meantime
    if theirs:
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()
    return not theirs


def _create(path: Path) -> bool:
    """Make a claim of this process, its content at once with its name; whether there was none."""
    scratch = path.with_name(f".tmp-{secrets.token_hex(6)}-{CLAIM}")
    try:
        scratch.write_text(json.dumps(myself()) + "\n", encoding="utf-8")
        os.link(scratch, path)
    except FileExistsError:
        return False
    finally:
        with suppress(OSError):
            scratch.unlink()
    return True


def held(path: Path) -> bool:
    """Whether the process that made a claim still works."""
    try:
        claim = json.loads(path.read_text(encoding="utf-8"))
        age = _age(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        with suppress(OSError):
            return _age(path) < VOID_AFTER  # just being written
        return False
    if claim.get("machine") == _machine():
        return _alive(int(claim.get("pid", 0)), float(claim.get("started", 0)))
    return age < VOID_AFTER


def myself() -> dict[str, object]:
    """This process, as its claims tell of it."""
    import psutil

    return {"machine": _machine(), "pid": os.getpid(), "started": psutil.Process().create_time()}


def _machine() -> str:
    """A name of this machine since it was started; in a container, of the container, whose process ids are its own."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return platform.node()


def _alive(pid: int, started: float) -> bool:
    """Whether a process runs; one that ended and that nobody waited for, as happens in containers, does not."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 1.0
    except (psutil.NoSuchProcess, ValueError):
        return False


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of the file system, which machines that share it agree on."""
    probe = path.parent / f".tmp-clock-{secrets.token_hex(4)}"
    touched = path.stat().st_mtime
    try:
        probe.touch()
        now = probe.stat().st_mtime
    except OSError:
        now = time.time()
    finally:
        probe.unlink(missing_ok=True)
    return now - touched
