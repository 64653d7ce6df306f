"""What each command of `bench` does. Heavy imports happen inside the commands that need them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bench.errors import BenchError, unknown

if TYPE_CHECKING:
    from bench.contract.checks import Outcome


def list_all(options: argparse.Namespace) -> int:
    from bench import listing

    if options.json:
        print(json.dumps(listing.names(options.what), indent=1))
    else:
        print("\n".join(listing.lines(options.what)))
    return 0


def run(options: argparse.Namespace) -> int:
    from bench.data import weights
    from bench.engines import pending_runs
    from bench.engines.console import lost, preparing, say
    from bench.engines.freeze import freeze
    from bench.engines.local import LocalEngine
    from bench.places import open_runs
    from bench.runs import checkpoints
    from bench.runs.spec import Wish, parse_method
    from bench.settings import records, threads, workers
    from bench.tracking.address import switched_off

    # What needs no import of seconds is checked before those.
    for text in options.method:
        file = registry_file(parse_method(text)[0])
        if options.checkpoint is not None:
            checkpoints.find(options.checkpoint, file)
        if options.weights is not None:
            options.checkpoint = weights.find(options.weights, file).sha256
    tracks = select(options.tracks)
    workers()
    records()
    switched_off()
    open_runs()
    preparing(len(options.method), len(tracks))
    machine = pending_runs.look_around(cpu=options.cpu)
    pending_runs.check_devices(options.devices, machine)
    wish = Wish(
        seeds=list(dict.fromkeys(options.seed)),
        limit=options.limit,
        steps=options.steps,
        precision=options.precision,
        accumulate=options.accumulate,
        compile=options.compile,
        label=options.label,
        control="oracle" if options.oracle else "defaults" if options.defaults else "",
        checkpoint=options.checkpoint or "",
        devices=options.devices,
        accelerator=machine.accelerator,
        threads=threads(),
    )
    engine = LocalEngine(options.jobs or machine.jobs(options.devices), machine.visible)
    specs, failures = freeze(options.tracks, options.method, wish, engine, say, explicit_cpu=options.cpu)
    if options.plan:
        from bench import plan

        print("\n".join(plan.lines(plan.plan(specs, force=options.force), engine.size)))
        return 1 if failures else 0
    with pending_runs.track(specs, force=options.force, report=say):
        failures += pending_runs.run_grid(specs, engine, force=options.force, report=say)
    return 1 if failures or lost else 0


def time_(options: argparse.Namespace) -> int:
    from bench.engines.finished_runs import time_runs

    return time_runs(select(options.tracks), options.method or [], again=options.force)


def stress(options: argparse.Namespace) -> int:
    from bench.engines.finished_runs import stress_runs

    return stress_runs(select(options.tracks), options.method or [], again=options.force, jobs=options.jobs)


def observe(options: argparse.Namespace) -> int:
    from bench.engines.finished_runs import observe_runs

    return observe_runs(select(options.tracks), options.method or [], again=options.force, jobs=options.jobs)


def sensitivity(options: argparse.Namespace) -> int:
    from bench.engines.finished_runs import map_runs

    return map_runs(select(options.tracks), options.method or [], again=options.force, jobs=options.jobs)


def verify(options: argparse.Namespace) -> int:
    from bench.engines.rerun import verify_entries

    for path in options.entries:
        if not path.is_file():
            state = "is a folder" if path.is_dir() else "is not there"
            raise BenchError(f"{path} {state}. Give files of entries, such as leaderboards/ct/mini/tv.json.")
    return verify_entries(options.entries, images=options.images, renew=options.renew)


def registry_file(name: str) -> str:
    """The name of a method that exists. Raises `BenchError` for another."""
    from bench.contract import registry

    return registry.method_file(name).name


def select(patterns: Sequence[str]) -> list[str]:
    """The tracks that patterns name. Raises `BenchError` where one names none."""
    from bench.contract import registry

    return [track.id for track in registry.select_tracks(patterns)]


def board(options: argparse.Namespace) -> int:
    from bench.leaderboard import publish, staleness, terminal
    from bench.places import runs
    from bench.tracking import mlflow as tracking

    if options.runs is not None and not options.runs.is_dir():
        raise BenchError(f"no folder {options.runs}. Give --runs a folder of run directories.")
    asked = set(select(options.tracks))
    folder = options.boards or publish.DEFAULT
    mirror = tracking.results if options.runs is None and tracking.available() else None
    outcome = publish.publish(options.runs or runs(), folder, staleness.here(), mirror)
    print(terminal.table(board for board in outcome.boards if not asked or board.name in asked))
    print(f"\n{len(outcome.entries)} entries in {folder}, page: {folder / 'README.md'}", flush=True)
    for line in (*outcome.remarks, *outcome.problems):
        print(f"bench: {line}", file=sys.stderr)
    return 1 if outcome.problems else 0


def data(options: argparse.Namespace) -> int:
    from bench.data import manifest as data

    names = options.names or data.manifests()
    declared = [data.manifest(name) for name in names]
    if options.action == "list":
        for one in declared:
            print(f"{one.name:18}{len(one.files):4} files  {one.title}")
            print(f"{'':18}terms: {one.terms}")
        return 0
    failures = 0
    for name in names:
        if options.action == "get":
            data.get(name)
            print(f"{name}: whole")
            continue
        problems = data.check(name)
        failures += bool(problems)
        if len(problems) == len(data.manifest(name).files) and all(text.endswith("is missing") for text in problems):
            print(f"{name}: not here. `bench data get {name}` fetches it; BENCH_DATA names a folder that has it.")
            continue
        print(f"{name}: {len(problems)} problems" if problems else f"{name}: ok")
        for problem in problems:
            print(f"  {problem}")
    return 1 if failures else 0


def check(options: argparse.Namespace) -> int:
    outcomes = checks_of_task(options) if is_task(options.what) else checks_of_method(options)
    passed = failed = 0
    for name, passes, message in outcomes:
        print(f"{'ok    ' if passes else 'FAILED'}  {name}{': ' + message if message else ''}", flush=True)
        passed, failed = passed + passes, failed + (not passes)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def is_task(name: str) -> bool:
    """Whether a name is one of a task or a track, or else of a method. Raises `BenchError` where it is none of them."""
    from bench.contract import registry

    methods, tasks = registry.methods(), registry.tasks()
    outer = name.partition(registry.JOINED)[0]
    if name.endswith(".py") or "/" in name or outer in methods:
        registry.method_file(name)
        return False
    method, _, values = name.partition(":")
    if values and method in methods:
        raise BenchError(f"`bench check {method}` checks a method by its defaults: leave out {values!r}.")
    if ":" in name:
        registry.track(name)
    elif name not in tasks:
        raise unknown("method or task", name, [*methods, *tasks], registry.FORMER_NAMES.get(outer))
    return True


def checks_of_task(options: argparse.Namespace) -> Iterable[Outcome]:
    if options.device != "cpu":
        raise BenchError(f"--device {options.device}: tasks are checked on the CPU. Leave --device out.")

    from bench.task_checks.checks import check

    return check(options.what)


def checks_of_method(options: argparse.Namespace) -> Iterable[Outcome]:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as in a run, for deterministic products

    import torch

    from bench.contract import registry
    from bench.contract.checks import check

    if options.device == "cuda" and not torch.cuda.is_available():
        raise BenchError("--device cuda: PyTorch finds no GPU on this machine. Leave --device out to check on the CPU.")
    return check(registry.load_method(options.what), options.device)


def ui(options: argparse.Namespace) -> int:
    from bench.tracking import announce, dashboard, tracker

    words = dashboard.command(options.host, options.port)
    print("bench: starting the MLflow dashboard; its address comes when it answers", file=sys.stderr, flush=True)
    tracker.settle(print)
    links = dashboard.links(options.host, options.port)
    address = dashboard.address_of(options.host, options.port)
    lines = [f"MLflow dashboard at {address} (Ctrl-C ends it)"]
    lines[0] += "" if links else ": no runs yet, `bench run` makes some"
    width = max(map(len, links), default=0)
    lines += [f"  {track:{width}}  {link}" for track, link in links.items()]
    sys.stdout.flush()
    subprocess.Popen(announce.words(address, "\n".join(lines)))  # a child of the server, which this process becomes
    os.execvp(words[0], words)


def export(options: argparse.Namespace) -> int:
    from bench.places import runs
    from bench.runs import archive

    directories, left_out = archive.exportable(runs())
    for line in left_out:
        print(f"left out: {line}", file=sys.stderr)
    if not directories:
        raise BenchError(f"no finished runs in {runs()}. `bench run` makes some; BENCH_STORE says where they are.")
    archive.export(directories, options.archive)
    print(f"{len(directories)} runs in {options.archive}")
    return 0


def import_(options: argparse.Namespace) -> int:
    from bench.places import runs
    from bench.runs import archive
    from bench.runs.records import finished
    from bench.tracking import mlflow as tracking

    known = {path.name for path in runs().glob("[0-9a-f]*") if finished(path)}
    directories, refused = [], []
    for source in options.sources:
        try:
            found = archive.unpack(source, runs())
            directories += found.run_dirs
            refused += found.refused
        except BenchError as error:
            refused.append(str(error))
    added = len({path.name for path in directories} - known)
    line = f"{added} runs added to {runs()}, {len(directories) - added} were there already"
    logged = lacking = 0
    if tracking.available():
        logged, lacking = tracking.log_all(directories, print)
        line += f"; MLflow: {logged} logged, {len(directories) - logged - lacking} were there already"
    if directories or not refused:
        print(line)
    for fault in refused:
        print(f"bench: {fault}", file=sys.stderr)
    if refused:
        return 1 if directories else 2
    return 1 if lacking else 0
