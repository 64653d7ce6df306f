"""A run on two devices, one of whose processes is killed, asked to end, or stopped."""

from __future__ import annotations

import random
import signal

import psutil

from tests.faults.tally import Tally
from tests.faults.world import Command, World, kill, left_behind, result_of

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP)
LIBRARIES = ("gloo", "Connection closed", "ProcessGroup", "Traceback")  # whose words tell a user nothing


def rank(world: World, tally: Tally, rng: random.Random) -> None:
    """A signal to one rank, at a random moment from its start on."""
    store, number = world.new_store(), rng.choice(SIGNALS)
    kind = f"kill: a rank of two, {number.name}"
    words = ["run", "toy", "-m", world.network, "--devices", "2", "--cpu"]
    command = Command(words, store)
    ranks: list[psutil.Process] = []
    while len(ranks) < 2 and command.running():
        command.sleep(0.1)
        ranks = ranks_of(command)
    command.sleep(rng.uniform(0, 2 * world.seconds))
    family = command.family()
    tally.inject(kind)
    for process in rng.sample(ranks, min(1, len(ranks))):
        kill(process, number)
    ended = command.end()
    if ended is None:
        tally.note(kind, "unclear", "the command hangs")
    elif said := [text for text in LIBRARIES if text in ended.output]:
        tally.note(kind, "unclear", f"{said}: {ended.output[-2000:]}")
    elif ended.status not in (0, 1) or (ended.status == 1 and "FAILED: rank" not in ended.output):
        tally.note(kind, "unclear", f"exit status {ended.status}: {ended.output[-500:]}")
    results = [result_of(path) for path in world.run_dirs(store)]
    if ended is not None and ["ok", "failed"][ended.status != 0 :][:1] != [result.status for result in results]:
        tally.note(kind, "lost", f"exit status {ended.status}, results {[result.reason for result in results]}")
    if left := left_behind(family):
        tally.note(kind, "unclear", f"left behind: {left}")
    again = Command(words, store).end()
    if again is None or again.status:
        tally.note(kind, "lost", f"not recovered: {again}")


def ranks_of(command: Command) -> list[psutil.Process]:
    found = []
    for process in command.family():
        try:
            if "bench.engines.worker" in process.cmdline():
                found.append(process)
        except psutil.Error:
            pass
    return found
