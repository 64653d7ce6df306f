"""Train, score, pack: what `python -m tests.gpu_train` does once its packages are there."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.engines.pending_runs import GPU_NODES
from bench.errors import BenchError
from tests.gpu_check.report import FAILED, Row, table
from tests.gpu_check.surroundings import ROOT, environment, look
from tests.gpu_train import parts
from tests.gpu_train.lanes import Lanes
from tests.gpu_train.trainings import TRAININGS, Training, chosen
from tests.gpu_train.watched import Place, train

RESERVE = 12.0  # seconds kept for the archives and the table
LANES = 2  # trainings at a time: one starts or scores its images while the other has the card


def main(arguments: Sequence[str] | None = None, begun: float | None = None) -> int:
    """``begun``: the time of `time.monotonic` from which the minutes count."""
    options = parse(arguments)
    begun = time.monotonic() if begun is None else begun
    try:
        return work(options, begun)
    except BenchError as error:
        print(f"gpu-train: {error}", file=sys.stderr)
        return 2


def work(options: argparse.Namespace, begun: float) -> int:
    end = begun + 60 * (options.minutes or (3.0 if options.short else 8.0)) - RESERVE
    folder, out = options.store.absolute(), options.out.absolute()
    for path in (folder, out):
        path.mkdir(parents=True, exist_ok=True)
    surround(folder)
    earlier = parts.unpack(options.resume, folder) if options.resume else {}
    trainings = chosen(options.only, options.short, options.steps, earlier)
    cuda = not options.cpu and any(Path(node).exists() for node in GPU_NODES)
    machine: dict[str, Any] = {}
    asking = threading.Thread(target=lambda: machine.update(look(os.environ)))
    asking.start()  # importing torch takes as long as a training to start
    own = ["--precision", options.precision] if options.precision else []
    place = Place(folder, (*own, *(["--cpu"] if options.cpu else [])), 1 if options.short else None)
    phantoms = None if options.short else prepare(trainings, folder)

    def one(training: Training, deadline: float) -> list[Row]:
        rows = train(training, place, deadline, end)
        print(f"... {training.name}: {rows[0].verdict or rows[0].found} ({time.monotonic() - begun:.0f} s)", flush=True)
        return rows

    try:
        rows = Lanes(trainings, LANES if cuda or options.short else 1, end).run(one)
    finally:
        if phantoms is not None:
            phantoms.kill()
    rows += parts.pack(folder, [training.name for training in trainings], out)
    asking.join()
    tell(rows, machine, time.monotonic() - begun, out)
    ran = any(row.what == "training" for row in rows)
    if not ran:
        print("gpu-train: nothing could be trained here", file=sys.stderr)
    return int(not ran or any(row.verdict == FAILED for row in rows))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu-train", description="Train, score, pack. Exit status 1 after a failure.")
    names = ", ".join(one.name for one in TRAININGS)
    parser.add_argument("--minutes", type=float, metavar="M", help="end within so many minutes (default 8, short 3)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {names}")
    parser.add_argument(
        "--short", action="store_true", help="two steps of each on mini tracks: for a machine without GPU"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="of every training, in the place of as many as fit")
    parser.add_argument("--precision", choices=("bf16-mixed",), help="of the trainings; their rows carry a label")
    parser.add_argument("--out", type=Path, default=Path(".bench/gpu_train"), metavar="DIR", help="table and archives")
    parser.add_argument(
        "--store", type=Path, default=Path(".bench/gpu_train/stores"), metavar="DIR", help="of the runs"
    )
    parser.add_argument("--resume", type=Path, metavar="DIR", help="go on with trainings that an earlier call stopped")
    parser.add_argument("--cpu", action="store_true", help="use the processor even where there is a GPU")
    return parser.parse_args(arguments)


def surround(folder: Path) -> None:
    """The environment of the runs: this code, no MLflow."""
    own = environment(folder, None)
    os.environ.clear()
    os.environ.update(own | {"COLUMNS": "500"})  # the living line is read whole


def prepare(trainings: Sequence[Training], folder: Path) -> subprocess.Popen[bytes]:
    """Make the phantoms of the trainings beside them."""
    tracks = sorted({training.track for training in trainings})
    words = [sys.executable, "-m", "tests.gpu_train.prepare", *tracks]
    blind = os.environ | {"BENCH_STORE": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(words, cwd=ROOT, env=blind, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tell(rows: Sequence[Row], machine: dict[str, Any], seconds: float, out: Path) -> None:
    card = machine.get("card") or "no GPU"
    head = f"gpu-train on {card}, torch {machine.get('torch', '?')}; {seconds:.0f} s"
    text = table(rows, [head])
    print(text, end="", flush=True)
    (out / "gpu_train.txt").write_text(text, encoding="utf-8")
    document = {"machine": machine, "seconds": seconds, "rows": [asdict(row) for row in rows]}
    (out / parts.RECORD).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
