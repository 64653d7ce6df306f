"""Kills: of a command, a child, all of them, the server; at a random moment, or at a chosen operation on the store."""

from __future__ import annotations

import mmap
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.faults.tally import Tally
from tests.faults.world import Command, Ended, Finished, World, kill, left_behind

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STOPPED = (130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL)  # fit a command that was ended
IN_A_ROW = 3  # faults on one store before it must recover
OPERATIONS = 150  # on the store, of one command, about
OPERATION = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.utime")


def random_moment(world: World, tally: Tally, rng: random.Random) -> None:
    """Kill the command, a child of it, or all of its processes at a random moment."""
    store, before = world.new_store(), {}
    for _ in range(IN_A_ROW):
        whom, number = rng.choice(("command", "child", "all")), rng.choice(SIGNALS)
        kind = f"kill: {whom}, {number.name}"
        command = Command(world.words, store)
        command.sleep(rng.uniform(0, world.seconds))
        family = command.family()
        targets = [command.process] if whom == "command" else family
        if whom == "child":
            targets = rng.sample(family, 1) if family else []
        if whom == "all":
            targets = [command.process, *family]
        tally.inject(kind)
        for process in targets:
            kill(process, number)
        family += command.family()
        before = judge(world, tally, kind, store, before, command.end(), family, stopped=whom != "child")
    recover(world, tally, kind, store, before)


def chosen_operation(world: World, tally: Tally, rng: random.Random) -> None:
    """SIGKILL of the process that is about to rename, open, make or remove something in the store."""
    store, before = world.new_store(), {}
    for _ in range(IN_A_ROW):
        number = rng.randrange(OPERATIONS)
        tally.inject("kill: at an operation on the store")
        command = Command(world.words, store, at_operation(number, lambda: os.kill(os.getpid(), signal.SIGKILL), store))
        command.sleep(0.3 * world.seconds)
        family = command.family()
        kind = "kill: at an operation on the store"
        before = judge(world, tally, kind, store, before, command.end(), family, stopped=True)
    recover(world, tally, kind, store, before)


def while_replacing(world: World, tally: Tally, rng: random.Random) -> None:
    """The same while finished runs are done again by --force: the old or the new one stays."""
    kind = "kill: at an operation, --force"
    store = world.new_store(filled=True)
    before = world.finished(store)
    tally.inject(kind)
    fatal = at_operation(rng.randrange(OPERATIONS), lambda: os.kill(os.getpid(), signal.SIGKILL), store)
    command = Command([*world.words, "--force"], store, fatal)
    command.sleep(0.3 * world.seconds)
    after = judge(world, tally, kind, store, {}, command.end(), command.family(), stopped=True)
    Command(world.words, store).end()
    for key, inode in world.finished(store).items():
        if inode not in (before.get(key), after.get(key)):
            tally.note(kind, "lost", f"{key} had to be done again")
    recover(world, tally, kind, store, {})


def two_commands(world: World, tally: Tally, rng: random.Random) -> None:
    """Two equal commands at once, one of which is killed: the other does what is left, and nothing twice."""
    kind = "kill: one of two equal commands"
    store = world.new_store()
    first = Command(world.words, store)
    first.sleep(rng.uniform(0, 0.3 * world.seconds))
    second = Command(world.words, store)
    first.sleep(rng.uniform(0, world.seconds))
    family = first.family()
    tally.inject(kind)
    kill(first.process, rng.choice(SIGNALS))
    one, other = first.end(), second.end()
    before = judge(world, tally, kind, store, {}, one, family, stopped=True)
    if other is None or other.status or world.wrong(store):
        tally.note(kind, "lost", f"the other command did not finish the runs: {other}")
    done = [re.findall(r"\] (\S+  \S+  seed \d)  psnr", ended.output) for ended in (one, other) if ended]
    for name in {name for names in done for name in names}:
        if sum(names.count(name) for names in done) > 1:
            tally.note(kind, "repeated", f"{name} was done by both")
    recover(world, tally, kind, store, before)


def words_of(process: psutil.Process) -> str:
    """The command line of a process; "" of one that has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def server(world: World, tally: Tally, rng: random.Random) -> None:
    """A real command, of which the server of processes, the command or its whole group is killed."""
    store = world.new_store()
    whom = rng.choice(("server", "command", "group"))
    kind = f"kill: {whom} of a real command"
    words = [sys.executable, "-m", "bench.cli", *world.words]
    environment = os.environ | {"BENCH_STORE": str(store)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    started = subprocess.Popen(words, env=environment, start_new_session=True, text=True, **pipes)  # type: ignore[call-overload]
    process = psutil.Process(started.pid)
    begun = time.monotonic()
    while not list((store / "runs").glob("*")) and started.poll() is None and time.monotonic() - begun < 60:
        time.sleep(0.05)
    time.sleep(rng.uniform(0, world.seconds))
    family = process.children(recursive=True) if started.poll() is None else []
    servers = [one for one in family if "forkserver" in words_of(one)][:1]
    targets = {"server": servers, "command": [process], "group": [process, *family]}[whom]
    tally.inject(kind)
    for one in targets:
        kill(one, signal.SIGKILL)
    output, _ = started.communicate(timeout=90)
    before = judge(world, tally, kind, store, {}, Ended(started.returncode, output), family, stopped=whom != "server")
    recover(world, tally, kind, store, before)


def at_operation(number: int, act: Callable[[], None], store: Path, lasting: bool = False) -> Callable[[], None]:
    """A preparation of a command: ``act`` at operation ``number`` on its store, in any process; or from then on."""

    def prepare() -> None:
        counter = mmap.mmap(-1, 8)  # shared with the processes that are forked

        def hear(event: str, arguments: tuple[object, ...]) -> None:
            if event == "open":
                mode, flags = arguments[1], arguments[2]
                writes = set(str(mode or "")) & set("wax+") or int(flags or 0) & (os.O_WRONLY | os.O_RDWR)  # type: ignore[call-overload]
                if not writes:
                    return
            elif event not in OPERATION:
                return
            if not isinstance(arguments[0], str | os.PathLike) or not os.fspath(arguments[0]).startswith(str(store)):
                return
            count = struct.unpack("<q", counter[:8])[0]
            counter[:8] = struct.pack("<q", count + 1)
            if count == number or (
                lasting and count > number and event in ("open", "os.rename", "os.mkdir", "os.link")
            ):
                act()

        sys.addaudithook(hear)

    return prepare


def judge(
    world: World,
    tally: Tally,
    kind: str,
    store: Path,
    before: Finished,
    ended: Ended | None,
    family: list[psutil.Process],
    *,
    stopped: bool,
) -> Finished:
    """Hold a disturbed command to the rules; returns what is finished now."""
    if ended is None:
        tally.note(kind, "unclear", "the command hangs")
    else:
        if "Traceback" in ended.output:
            tally.note(kind, "unclear", f"a traceback: {ended.output[-2000:]}")
        fits = (0, 1, 2, *STOPPED) if stopped else (0, 1)
        if ended.status not in fits:
            tally.note(kind, "unclear", f"exit status {ended.status}: {ended.output[-500:]}")
        if ended.status == 0 and world.wrong(store):
            tally.note(kind, "lost", f"exit status 0 without the runs {world.wrong(store)}")
    if left := left_behind(family):
        tally.note(kind, "unclear", f"left behind: {left}")
    now = world.finished(store)
    for key, inode in before.items():
        if key not in now:
            tally.note(kind, "lost", f"{key} was finished before the fault")
        elif now[key] != inode:
            tally.note(kind, "repeated", f"{key} was finished before")
    return now


def recover(world: World, tally: Tally, kind: str, store: Path, before: Finished) -> None:
    """The same command undisturbed: it does what is missing and nothing else, and leaves no scratch."""
    command = Command(world.words, store)
    now = judge(world, tally, kind, store, before, command.end(), [], stopped=False)
    if command.status or world.wrong(store):
        tally.note(kind, "lost", f"not recovered: {world.wrong(store)}, exit status {command.status}")
    again = Command(world.words, store)
    judge(world, tally, kind, store, now, again.end(), [], stopped=False)
    scratch = [path.name for path in (store / "runs").glob(".tmp-*")]
    if scratch:
        tally.note(kind, "unclear", f"scratch left: {scratch}")
