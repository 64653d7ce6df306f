"""Tracking servers that are away, slow or dead: runs are done all the same, and within a time."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.kills import judge
from tests.faults.tally import Tally
from tests.faults.world import Command, World

LONGEST = 60.0  # seconds that a command may take more because of its tracking server
SLOW = 0.2  # seconds before each byte of an answer


@contextmanager
def listening(how: str) -> Iterator[str]:
    """The address of a server that is ``away``, never answers (``dead``), or answers byte by byte (``slow``)."""
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    if how == "away":
        server.close()
        yield address
        return
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            if how == "slow":
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield address
    finally:
        server.close()
        for connection in held:
            connection.close()


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n":
        time.sleep(SLOW)
        try:
            connection.send(bytes([byte]))
        except OSError:
            return


def tracking_server(world: World, tally: Tally, rng: random.Random) -> None:
    how = rng.choice(("away", "dead", "slow"))
    kind = f"tracking server: {how}"
    store = world.new_store()
    with listening(how) as address:

        def prepare() -> None:
            os.environ.pop("BENCH_TRACKING")
            os.environ["MLFLOW_TRACKING_URI"] = address

        tally.inject(kind)
        start = time.monotonic()
        command = Command(world.words, store, prepare)
        ended = command.end()
        judge(world, tally, kind, store, {}, ended, [], stopped=False)
        if (spent := time.monotonic() - start - world.seconds) > LONGEST:
            tally.note(kind, "unclear", f"the command took {spent:.0f} s more")
    if world.wrong(store):
        tally.note(kind, "lost", f"runs are missing: {world.wrong(store)}")
