"""`python -m tests.gpu_check [--short] [--out DIR] [--minutes M]`: the whole check; exit status 1 after a failure."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.settings import processors
from tests.gpu_check.lanes import Lane, run_phase
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, Row, table
from tests.gpu_check.surroundings import environment, install, look

RESERVE = 18.0  # seconds kept for the archive's check and the table
SHORT_MINUTES = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    begun = time.monotonic()
    total = 60 * (options.minutes or (SHORT_MINUTES if options.short else 8.0))
    options.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="gpu-check-"))
    try:
        rows, machine = check(folder, options, begun, total)
        heads = [headline(machine, time.monotonic() - begun)]
        text = table(rows, heads)
        print(text, end="", flush=True)
        (options.out / "gpu_check.txt").write_text(text, encoding="utf-8")
        document = {"machine": machine, "seconds": time.monotonic() - begun, "rows": [asdict(row) for row in rows]}
        (options.out / "gpu_check.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        logs = [f"== {log.name}\n{log.read_text(errors='replace')}" for log in sorted(folder.glob("*.log"))]
        (options.out / "gpu_check.log").write_text("\n".join(logs), encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(any(row.verdict == FAILED for row in rows))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu-check", description=__doc__)
    parser.add_argument("--short", action="store_true", help="few methods and tracks, toy sizes: for CI")
    parser.add_argument("--out", type=Path, default=Path(".bench/gpu_check"), metavar="DIR", help="table and archive")
    parser.add_argument("--minutes", type=float, metavar="M", help="end within so many minutes (default 8, short 3)")
    parser.add_argument("--cpu", action="store_true", help="use the processor even where there is a GPU")
    return parser.parse_args(arguments)


def check(folder: Path, options: argparse.Namespace, begun: float, total: float) -> tuple[list[Row], dict[str, Any]]:
    """All phases within ``total`` seconds from ``begun``; each phase may use what the ones before it have left."""
    site, rows = None, []
    if wheels := os.environ.get("BENCH_WHEELS"):
        site = folder / "site"
        if reason := install(wheels, site):
            raise SystemExit(f"gpu-check: {reason}")
    surroundings = environment(folder, site)
    machine = look(surroundings)
    cuda = bool(machine["card"]) and not options.cpu
    cores = processors()
    machine |= {"device": "cuda" if cuda else "cpu", "cores": cores}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(machine["count"])))
    plan = Plan(
        machine["device"],
        tuple(visible.split(",")) if cuda else (),
        options.short,
        1,
        total,
        str(folder),
        str(options.out.absolute()),
    )
    shares = short_phases() if options.short else phases(cores)
    for share, lanes in shares:
        left = total - RESERVE - (time.monotonic() - begun)
        rows += run_phase(lanes, plan, max(1.0, share * left), surroundings, folder)
        progress(rows, lanes, begun)
    return rows, machine


def phases(cores: int) -> list[tuple[float, list[Lane]]]:
    """The share of the time that is left, and the lanes. What is timed on the card for a goal works alone there."""
    most = max(1, cores - 6)
    return [
        (0.2, [Lane({"speed": 1.0}, 1)]),
        (0.35, [Lane({"training": 1.0}, 1)]),
        (0.5, [Lane({"mini_training": 1.0}, 1), Lane({"references": 1.0}, most)]),
        (
            0.92,
            [
                Lane({"contract": 1.0}, max(1, 7 * cores // 16)),
                Lane({"agreement": 0.8, "runs": 0.2}, max(1, 7 * cores // 16)),
                Lane({"recordings": 1.0}, 2),
                Lane({"resume": 1.0}, 2),
            ],
        ),
        (1.0, [Lane({"archive": 1.0}, 1)]),
    ]


def short_phases() -> list[tuple[float, list[Lane]]]:
    """Few processes: each start costs seconds of a processor."""
    parts = ("speed", "contract", "references", "agreement", "runs", "recordings", "mini_training", "archive")
    return [(1.0, [Lane(dict.fromkeys(parts, 0.5), 2), Lane({"resume": 1.0}, 2)])]


def progress(rows: Sequence[Row], lanes: Sequence[Lane], begun: float) -> None:
    names = [name for lane in lanes for name in lane.parts]
    failed = sum(row.verdict == FAILED for row in rows if row.part in names)
    print(f"... {', '.join(names)}: {failed} failed ({time.monotonic() - begun:.0f} s)", file=sys.stderr, flush=True)


def headline(machine: Mapping[str, Any], seconds: float) -> str:
    where = machine["card"] if machine["device"] == "cuda" else "no GPU: everything but the card's own figures"
    return (
        f"gpu-check on {where}; {machine['cores']} cores, Python {machine['python']}, torch {machine['torch']}; "
        f"{seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
