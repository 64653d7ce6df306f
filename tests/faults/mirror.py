"""Faults while runs are mirrored to MLflow: in the making of its database, in logging, and in the database itself."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.faults.damage import damaged
from tests.faults.kills import SIGNALS, judge
from tests.faults.servers import listening
from tests.faults.tally import Tally
from tests.faults.world import Command, Finished, World, kill

LONGEST = 60.0  # seconds that a command may take more because of its tracking server
IN_A_ROW = 2
SHARE = 2.5  # the time of a tracked command in a new store over an untracked one's


def tracked() -> None:
    """A preparation of a command: MLflow in its store."""
    os.environ.pop("BENCH_TRACKING", None)


def killed_while_tracking(world: World, tally: Tally, rng: random.Random) -> None:
    """Kill the command, or all of its processes, while the database is made or runs are logged."""
    store, before, kind = world.new_store(), {}, ""
    for _ in range(IN_A_ROW):
        whom, number = rng.choice(("command", "all")), rng.choice(SIGNALS)
        kind = f"tracked: kill of {whom}, {number.name}"
        command = Command(world.words, store, tracked)
        command.sleep(rng.uniform(0, SHARE * world.seconds))
        family = command.family()
        tally.inject(kind)
        for process in [command.process, *(family if whom == "all" else [])]:
            kill(process, number)
        before = judge(world, tally, kind, store, before, command.end(), family, stopped=True)
    recover(world, tally, kind, store, before)


def damaged_database(world: World, tally: Tally, rng: random.Random) -> None:
    """A flipped bit, a cut or rubbish in the database, or none: runs stand, and the next command mirrors them again."""
    kind = "tracked: a damaged database"
    store = world.new_store()
    judge(world, tally, kind, store, {}, Command(world.words, store, tracked).end(), [], stopped=False)
    path = store / "mlflow.db"
    content = damaged(path.read_bytes(), rng)
    path.unlink()
    if rng.random() < 0.8:
        path.write_bytes(content)
    before = world.finished(store)
    tally.inject(kind)
    boards = ["board", "--boards", str(store / "boards")]
    ended = Command(boards, store, tracked).end()
    if ended is None or ended.status not in (0, 1) or "Traceback" in ended.output:
        tally.note(kind, "unclear", f"bench board: {ended}")
    entries = sorted(path.name for path in (store / "boards").glob("*/*/*.json"))
    if entries != ["net.json", "shrink.json"]:
        tally.note(kind, "lost", f"the board holds {entries}")
    judge(world, tally, kind, store, before, Command(world.words, store, tracked).end(), [], stopped=False)


def bad_server(world: World, tally: Tally, rng: random.Random) -> None:
    """A tracking server that is away, slow or dead: the runs are done, within a time."""
    how = rng.choice(("away", "dead", "slow"))
    kind = f"tracked: a server that is {how}"
    store = world.new_store()
    with listening(how) as address:

        def prepare() -> None:
            tracked()
            os.environ["MLFLOW_TRACKING_URI"] = address

        tally.inject(kind)
        start = time.monotonic()
        judge(world, tally, kind, store, {}, Command(world.words, store, prepare).end(), [], stopped=False)
        if (spent := time.monotonic() - start - world.seconds) > LONGEST:
            tally.note(kind, "unclear", f"the command took {spent:.0f} s more")
    if world.wrong(store):
        tally.note(kind, "lost", f"runs are missing: {world.wrong(store)}")


def recover(world: World, tally: Tally, kind: str, store: Path, before: Finished) -> None:
    """The same command undisturbed: every run is finished, and stands in the database once."""
    command = Command(world.words, store, tracked)
    now = judge(world, tally, kind, store, before, command.end(), [], stopped=False)
    judge(world, tally, kind, store, now, Command(world.words, store, tracked).end(), [], stopped=False)
    if world.wrong(store):
        tally.note(kind, "lost", f"not recovered: {world.wrong(store)}")
    for key in world.scores:
        if (count := logged(store / "mlflow.db", key)) != 1:
            tally.note(kind, "repeated" if count else "lost", f"MLflow holds {count} runs of {key}")


def logged(database: Path, key: str) -> int:
    """How many whole runs of a key the database holds."""
    query = """
        SELECT COUNT(*) FROM runs JOIN tags AS a USING (run_uuid) JOIN tags AS b USING (run_uuid)
        WHERE lifecycle_stage = 'active' AND a.key = 'bench.key' AND a.value = ? AND b.key = 'bench.logged'
        AND b.value = 'true'
    """
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query, (key,)).fetchone()[0]
