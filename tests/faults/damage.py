"""Flips and truncations in every kind of file of a store and of a folder of boards."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

from tests.faults.kills import recover
from tests.faults.tally import Tally
from tests.faults.world import Command, World


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One flipped bit, a cut, a block of zeros, nothing at all, or something else in its place."""
    how = rng.choice(("flip", "flip", "flip", "cut", "zeros", "empty", "other"))
    if not content or how == "empty":
        return b"" if content else b"x"
    at = rng.randrange(len(content))
    if how == "flip":
        return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]
    if how == "cut":
        return content[:at]
    if how == "zeros":
        return content[:at] + bytes(len(content) - at)
    return rng.randbytes(len(content))


def run_file(world: World, tally: Tally, rng: random.Random) -> None:
    """A file of a run directory: the board, an export and a later command name it or are not touched by it."""
    store = world.new_store(filled=True)
    run_dir = rng.choice(world.run_dirs(store))
    path = rng.choice(sorted(path for path in run_dir.rglob("*") if path.is_file()))
    name = path.relative_to(run_dir).as_posix()
    kind = f"damage: {path.name if '/' not in name else 'a picture'}"
    original = path.read_bytes()
    path.write_bytes(damaged(original, rng))
    tally.inject(kind)
    harmless = name == "result.json" and same_values(path.read_bytes(), original)
    boards = store / "boards"
    told = run(tally, kind, ["board", "--runs", str(store / "runs"), "--boards", str(boards)], store)
    check_boards(world, tally, kind, boards)
    if name == "result.json" and not harmless and str(path) not in told:
        tally.note(kind, "unclear", f"the board does not name {path}: {told[-500:]}")
    if not harmless and str(path) not in run(tally, kind, ["export", str(store / "all.zip")], store):
        tally.note(kind, "unclear", f"the export does not name {path}")
    if name == "checkpoint.ckpt":
        told = run(tally, kind, ["run", "toy", "-m", world.network, "--checkpoint", run_dir.name, "--cpu"], store)
        if "was changed since the run wrote it" not in told:
            tally.note(kind, "lost", f"a damaged checkpoint was used: {told[-500:]}")
    before = world.finished(store)
    recover(world, tally, kind, store, before)


def board_file(world: World, tally: Tally, rng: random.Random) -> None:
    """A file of a folder of boards: the next board names it or makes it again."""
    store = world.new_store(filled=True)
    boards = store / "boards"
    words = ["board", "--runs", str(store / "runs"), "--boards", str(boards)]
    run(tally, "damage: a published entry", words, store)
    path = rng.choice(sorted(path for path in boards.rglob("*") if path.is_file()))
    kind = "damage: a published entry" if path.suffix == ".json" else "damage: a published page"
    original = path.read_bytes()
    path.write_bytes(damaged(original, rng))
    tally.inject(kind)
    run(tally, kind, words, store)
    check_boards(world, tally, kind, boards)
    if path.suffix == ".md" and path.read_bytes() != original:
        tally.note(kind, "lost", f"{path.name} was not made again")


def scratch(world: World, tally: Tally, rng: random.Random) -> None:
    """Claims, scratch and other files in the store that mean nothing: commands pass over them."""
    kind = "damage: claims and scratch"
    store = world.new_store(filled=rng.random() < 0.5)
    (store / "runs").mkdir(exist_ok=True)
    key = rng.choice(sorted(world.scores))
    places = (
        f"claims/{key}",
        f"runs/.tmp-0-new-{key}/x",
        f"runs/.tmp-0-old-{key}/x",
        "runs/.tmp-x",
        "runs/README",
        "cache",
    )
    path = store / rng.choice(places)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():  # a file where a folder should be
        shutil.rmtree(path)
    content = json.dumps({"machine": "x", "pid": rng.randrange(9999), "started": 0}).encode()
    path.write_bytes(damaged(content, rng))
    if path.parent.name == "claims" or path.name == ".tmp-x":  # young ones may belong to a command at work
        os.utime(path, (0, 0))
    tally.inject(kind)
    recover(world, tally, kind, store, world.finished(store))


def run(tally: Tally, kind: str, words: list[str], store: Path) -> str:
    ended = Command(words, store).end()
    if ended is None or "Traceback" in ended.output or ended.status not in (0, 1, 2):
        tally.note(kind, "unclear", f"bench {words[0]}: {ended.output[-2000:] if ended else 'hangs'}")
    return ended.output if ended else ""


def same_values(one: bytes, other: bytes) -> bool:
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return False


def check_boards(world: World, tally: Tally, kind: str, boards: Path) -> None:
    """No entry holds a score that no run has."""
    from bench.errors import BenchError
    from bench.leaderboard.entries import read

    for path in boards.glob("*/*/*.json"):
        try:
            entry = read(path, boards)
        except BenchError:
            continue  # refused, which the board says
        for seed, scores in entry.per_seed.items():
            if world.scores[entry.keys[seed]] != scores:
                tally.note(kind, "lost", f"{path.name} holds other scores")
