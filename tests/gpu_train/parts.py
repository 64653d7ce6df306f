"""Archives that leave the machine: finished runs for `bench import`, and stopped trainings, in parts of a size."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.runs.archive import export
from bench.runs.records import finished
from tests.gpu_check.report import NOTE, OK, Row

LARGEST = 16 * 2**20  # bytes of a part
ROOM = 2**18  # of them for the headers of an archive, whose contents hardly shrink: pictures and weights
STOPPED_NAME = "stopped-{}.tar.gz"
RECORD = "gpu_train.json"


def grouped(sizes: Mapping[Path, int], largest: int) -> tuple[list[list[Path]], list[Path]]:
    """Groups of at most ``largest`` bytes, large paths first, each into the first with room; and those too large."""
    groups: list[tuple[int, list[Path]]] = []
    left = []
    for path, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        if size > largest:
            left.append(path)
            continue
        at = next((i for i, (total, _) in enumerate(groups) if total + size <= largest), len(groups))
        total, paths = groups[at] if at < len(groups) else (0, [])
        groups[at : at + 1] = [(total + size, [*paths, path])]
    return [paths for _, paths in groups], left


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(folder: Path, names: Sequence[str], out: Path, largest: int = LARGEST) -> list[Row]:
    """Archives of the finished runs in the stores of ``names``, and of the checkpoints of stopped trainings."""
    for old in (*out.glob("runs-*.tar.gz"), *out.glob(STOPPED_NAME.format("*"))):
        old.unlink()
    runs = [run for name in names for run in (folder / name / "runs").glob("[0-9a-f]*") if finished(run)]
    groups, left = grouped({run: size_of(run) for run in runs}, largest - ROOM)
    rows = []
    for number, group in enumerate(groups, 1):
        target = out / f"runs-{number}.tar.gz"
        export(group, target)
        rows.append(Row(OK, target.name, f"{len(group)} runs, {target.stat().st_size / 2**20:.1f} MiB"))
    for path in left:
        rows.append(Row(NOTE, path.name[:8], f"a run of {size_of(path) / 2**20:.0f} MiB is in no part, for its size"))
    for name in names:
        for checkpoint in sorted((folder / name / "partial").glob("*/last.ckpt")):
            rows.append(keep(checkpoint, name, out, largest - ROOM))
    return [replace(row, part="archive") for row in rows]


def keep(checkpoint: Path, name: str, out: Path, largest: int) -> Row:
    if checkpoint.stat().st_size > largest:
        return Row(NOTE, name, f"its checkpoint of {checkpoint.stat().st_size / 2**20:.0f} MiB is in no part")
    target = out / STOPPED_NAME.format(name)
    with tarfile.open(target, "w:gz") as tar:
        tar.add(checkpoint, f"partial/{checkpoint.parent.name}/{checkpoint.name}")
    return Row(OK, target.name, f"to go on with: --resume FOLDER, {target.stat().st_size / 2**20:.1f} MiB")


def unpack(source: Path, folder: Path) -> dict[str, int]:
    """Put stopped trainings of an earlier call's folder into their stores; returns their steps by name.

    Raises `BenchError` where ``source`` is no such folder.
    """
    try:
        rows = json.loads((source / RECORD).read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError):
        raise BenchError(f"{source} holds no {RECORD}. Give --resume the folder that an earlier call wrote.") from None
    steps = {row["part"]: row["details"]["steps"] for row in rows if row["verdict"] == "stopped"}
    for name in list(steps):
        path = source / STOPPED_NAME.format(name)
        if not path.exists():
            del steps[name]
            continue
        with tarfile.open(path) as tar:
            tar.extractall(folder / name, filter="data")
    return steps
