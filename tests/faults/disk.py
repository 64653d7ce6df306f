"""A full disk: files that may not grow beyond a size, a small file system, a disk that is full from a moment on."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.faults.kills import OPERATIONS, at_operation, judge, recover
from tests.faults.tally import Tally
from tests.faults.world import Command, World

LARGEST = (0, 100, 1000, 3000, 6000, 20_000, 100_000)  # bytes of one file
ROOM = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192)  # KiB of a file system; the four runs need about 150


def largest_file(world: World, tally: Tally, rng: random.Random) -> None:
    """No file may grow beyond a size."""
    size = rng.choice(LARGEST)

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    disturb(world, tally, "disk: no file above a size", world.new_store(), prepare)


def full_from_a_moment(world: World, tally: Tally, rng: random.Random) -> None:
    """From some operation on nothing can be made in the store."""

    def act() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = world.new_store()
    number = rng.randrange(OPERATIONS)
    disturb(world, tally, "disk: full from a moment on", store, at_operation(number, act, store, lasting=True))


def small_file_system(world: World, tally: Tally, rng: random.Random) -> None:
    """A store on a file system of some KiB, which is made larger before the recovery. Only root can mount one."""
    if not mountable():
        return largest_file(world, tally, rng)
    store = world.new_store()
    mount(store, rng.choice(ROOM))
    try:
        disturb(
            world, tally, "disk: a small file system", store, lambda: None, grow=lambda: mount(store, 65536, "remount,")
        )
    finally:
        subprocess.run(["umount", "-l", str(store)], check=True)


def mount(store: Path, kib: int, again: str = "") -> None:
    words = ["mount", "-t", "tmpfs", "-o", f"{again}size={kib}k", "tmpfs", str(store)]
    subprocess.run(words, check=True, capture_output=True)


@cache
def mountable() -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder), 64)
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def disturb(
    world: World,
    tally: Tally,
    kind: str,
    store: Path,
    prepare: Callable[[], None],
    grow: Callable[[], None] = lambda: None,
) -> None:
    tally.inject(kind)
    before = judge(world, tally, kind, store, {}, Command(world.words, store, prepare).end(), [], stopped=True)
    grow()
    recover(world, tally, kind, store, before)
