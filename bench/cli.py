"""The `bench` command. Heavy imports happen inside the commands that need them."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from bench.errors import BenchError

EPILOG = """examples:
  bench list                                       tasks, tracks and methods
  bench list tv                                    the hyperparameters of a method
  bench run denoising ct -m tv -m unet             two mini tracks, two methods
  bench run mri:brain-r20 -m tv --seed 0 1 2       a track on real data, three seeds
  bench run 'denoising:*' -m tv:lam=0.1 --limit 4  quoted globs, explicit hyperparameters, a subset
  bench run ct -m path/to/mine.py                  your own method
  bench board                                      publish finished runs in leaderboards/
  bench ui                                         review runs in the MLflow dashboard
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well, 1 if a run failed, 2 if the command was wrong."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nbench: stopped; finished runs are kept, the same command does the others.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="bench",
        description="Benchmark image reconstruction: run methods on tracks, review the runs, publish leaderboards.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=Version, nargs=0, help="print version, commit and source hash")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=function)
        return sub

    sub = command("list", list_all, "list tasks with their tracks, and methods, or tell of one")
    sub.add_argument("what", nargs="?", metavar="WHAT", help="tasks, methods, or a task, track or method")
    sub.add_argument("--json", action="store_true", help="tasks and methods as JSON")

    sub = command("run", run, "run methods on tracks, skipping what is finished")
    sub.add_argument("tracks", nargs="+", metavar="TRACK", help="task (its mini track), task:track, or a quoted glob")
    sub.add_argument(
        "-m", "--method", action="append", required=True, metavar="METHOD", help="name or file, METHOD:name=value,..."
    )
    sub.add_argument("--seed", nargs="+", type=seed, default=[0], metavar="N", help="one run per seed (default 0)")
    sub.add_argument("--devices", type=positive, default=1, metavar="N", help="devices (or CPU processes) per run")
    sub.add_argument("--jobs", type=positive, metavar="N", help="runs at a time (default: processors, or GPUs)")
    sub.add_argument("--limit", type=positive, metavar="N", help="only the first N test images; not ranked")
    sub.add_argument("--steps", type=positive, metavar="N", help="training steps other than the track's; flagged")
    sub.add_argument("--learned", metavar="KEY", help="use what that run has learned; do not train")
    sub.add_argument("--label", default="", metavar="L", help="the entry becomes METHOD@L")
    sub.add_argument("--force", action="store_true", help="run again what is finished")
    sub.add_argument("--cpu", action="store_true", help="use the processor even where there is a GPU")

    sub = command("board", board, "publish finished runs as leaderboard entries and pages")
    sub.add_argument("--runs", type=Path, metavar="DIR", help="read run directories instead of MLflow")
    sub.add_argument("--boards", type=Path, metavar="DIR", help="where entries are kept (default: leaderboards)")

    sub = command("data", data, "list, download or check the data sets")
    sub.add_argument("action", choices=("list", "get", "check"))
    sub.add_argument("names", nargs="*", metavar="NAME", help="data sets (default: all)")

    sub = command("check", check, "run the contract tests on one method")
    sub.add_argument("method", metavar="METHOD")

    sub = command("ui", ui, "open the MLflow dashboard on this store")
    sub.add_argument("--host", default="127.0.0.1")
    sub.add_argument("--port", type=int, default=5000)

    sub = command("export", export, "pack finished runs into one archive for another machine")
    sub.add_argument("archive", type=Path, metavar="FILE.tar.gz")

    sub = command("import", import_, "add the runs of an archive, or of run directories, to this store")
    sub.add_argument("sources", nargs="+", type=Path, metavar="ARCHIVE|DIR")
    return top


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"bench: {message}. `{self.prog} --help` tells more.\n")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


class Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        from bench.runs.provenance import commit, source_hash

        head, dirty = commit()
        print(f"reconbench {version('reconbench')}, commit {head or 'unknown'}{' (changed)' if dirty else ''}")
        print(f"BENCH_COMMIT={head}:{source_hash()}")
        parser.exit()


def list_all(options: argparse.Namespace) -> int:
    from bench import listing

    if options.json:
        print(json.dumps(listing.names(options.what), indent=1))
    else:
        print("\n".join(listing.lines(options.what)))
    return 0


def run(options: argparse.Namespace) -> int:
    from bench.contract import registry
    from bench.engines import grid
    from bench.runs import checkpoints as learned
    from bench.runs.spec import parse_method
    from bench.runs.store import open_runs

    # What needs no import of seconds is checked before those.
    for text in options.method:
        file = registry.method_file(parse_method(text)[0])
        if options.learned is not None:
            learned.find(options.learned, file.name)
    registry.select_tracks(options.tracks)
    open_runs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    accelerator = grid.prepare(cpu=options.cpu)
    grid.check_devices(options.devices, accelerator)
    requests = grid.expand(
        options.tracks,
        options.method,
        options.seed,
        limit=options.limit,
        steps=options.steps,
        label=options.label,
        devices=options.devices,
        accelerator=accelerator,
        learned=options.learned,
    )
    jobs = options.jobs or grid.default_jobs(accelerator, options.devices)
    failures = grid.run_grid(requests, jobs=jobs, force=options.force)
    return 1 if failures else 0


def board(options: argparse.Namespace) -> int:
    from bench.leaderboard import entries as board
    from bench.runs.store import runs
    from bench.tracking import mlflow as tracking

    if options.runs is not None and not options.runs.is_dir():
        raise BenchError(f"no folder {options.runs}. Give --runs a folder of run directories.")
    results = board.read_results(options.runs or runs())
    if options.runs is None and tracking.available():
        results = [result for result in results if not tracking.tracked(runs() / result.key)] + tracking.results()
    folder = options.boards or Path("leaderboards")
    entries = board.write(board.entries(results), folder)
    print(board.table(entries))
    print(f"\n{len(entries)} entries in {folder}, page: {folder / 'README.md'}")
    return 0


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
    from bench.contract import registry

    registry.method_file(options.method)  # before the imports that take seconds

    from bench.contract.checks import check

    outcomes = check(registry.load_method(options.method))
    for name, passed, message in outcomes:
        print(f"{'ok    ' if passed else 'FAILED'}  {name}{': ' + message if message else ''}")
    failures = sum(not passed for _, passed, _ in outcomes)
    print(f"{len(outcomes) - failures} passed, {failures} failed")
    return 1 if failures else 0


def ui(options: argparse.Namespace) -> int:
    from bench.tracking import dashboard

    words = dashboard.command(options.host, options.port)
    print(f"MLflow dashboard: http://{options.host}:{options.port}  (Ctrl-C ends it)")
    for task, link in dashboard.links(options.host, options.port).items():
        print(f"  {task:12} {link}")
    sys.stdout.flush()
    os.execvp(words[0], words)


def export(options: argparse.Namespace) -> int:
    from bench.runs import archive
    from bench.runs.records import finished
    from bench.runs.store import runs

    directories = sorted(path for path in runs().glob("[0-9a-f]*") if finished(path))
    if not directories:
        raise BenchError(f"no finished runs in {runs()}. `bench run` makes some; BENCH_STORE says where they are.")
    archive.export(directories, options.archive)
    print(f"{len(directories)} runs in {options.archive}")
    return 0


def import_(options: argparse.Namespace) -> int:
    from bench.engines import grid
    from bench.runs import archive
    from bench.runs.records import finished
    from bench.runs.store import runs
    from bench.tracking import mlflow as tracking

    known = {path for path in runs().glob("[0-9a-f]*") if finished(path)}
    directories = [path for source in options.sources for path in archive.unpack(source, runs())]
    if tracking.available():
        for directory in directories:
            grid.log(directory, print)
    added = len(set(directories) - known)
    print(f"{added} runs added to {runs()}, {len(directories) - added} were there already")
    return 0


if __name__ == "__main__":
    sys.exit(main())
