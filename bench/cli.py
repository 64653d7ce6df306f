"""The `bench` command: its options. `bench.commands` does what they ask."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from bench import commands
from bench.engines import processes
from bench.errors import BenchError

EPILOG = """examples:
  bench list                                       tasks, tracks and methods
  bench list tv                                    the hyperparameters of a method
  bench run denoising ct -m tv -m unet             two mini tracks, two methods
  bench run mri:brain-r20 -m tv --seed 0 1 2       a track on real data, three seeds
  bench run 'denoising:*' -m tv:lam=0.1 --limit 4  quoted globs, explicit hyperparameters, a subset
  bench run ct -m path/to/mine.py                  your own method
  bench run '*:mini' -m tv -m unet --plan          what would run, and how long it takes
  bench board                                      publish finished runs in leaderboards/
  bench ui                                         review runs in the MLflow dashboard
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well, 1 if a run failed, 2 if the command was wrong.

    It is 130 after Ctrl-C and 143 after SIGTERM, whatever further signals come while the command stops.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack the letters of an equation
    options = parser().parse_args(arguments)
    try:
        processes.stop_on_signals()
        return obey(options)
    except (KeyboardInterrupt, SystemExit) as stop:
        processes.end_all()
        start = "\n" if sys.stderr is not None and sys.stderr.isatty() else ""  # after the ^C that a terminal shows
        with suppress(OSError):
            print(f"{start}bench: stopped; finished runs are kept, the same command does the others.", file=sys.stderr)
        return stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 130


def obey(options: argparse.Namespace) -> int:
    """Do what the options ask; what is wrong is one line, without a traceback."""
    try:
        status = options.command(options)
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"bench: {error.strerror}: the output cannot be written. Free some space.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="bench",
        description="Benchmark image reconstruction: run methods on tracks, review the runs, publish leaderboards.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=Version, nargs=0, help="print version, commit and source hash")
    choices = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = choices.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=function)
        return sub

    sub = command("list", commands.list_all, "list tasks with their tracks, and methods, or tell of one")
    sub.add_argument("what", nargs="?", metavar="WHAT", help="tasks, methods, or a task, track or method")
    sub.add_argument("--json", action="store_true", help="tasks and methods as JSON")

    sub = command("run", commands.run, "run methods on tracks, skipping what is finished")
    sub.add_argument("tracks", nargs="+", metavar="TRACK", help="task (its mini track), task:track, or a quoted glob")
    sub.add_argument(
        "-m", "--method", action="append", required=True, metavar="METHOD", help="name or file, METHOD:name=value,..."
    )
    sub.add_argument("--seed", nargs="+", type=seed, default=[0], metavar="N", help="one run per seed (default 0)")
    sub.add_argument("--devices", type=positive, default=1, metavar="N", help="devices (or CPU processes) per run")
    sub.add_argument("--jobs", type=positive, metavar="N", help="runs at a time (default: processors, or GPUs)")
    sub.add_argument("--limit", type=positive, metavar="N", help="only the first N test images; not ranked")
    sub.add_argument("--steps", type=positive, metavar="N", help="training steps other than the track's; flagged")
    sub.add_argument(
        "--precision", choices=("32-true", "bf16-mixed"), default="32-true", help="of a training (default 32-true)"
    )
    sub.add_argument(
        "--accumulate", type=positive, default=1, metavar="N", help="train on each batch in N parts, for less memory"
    )
    sub.add_argument("--compile", action="store_true", help="train under torch.compile; needs a C++ compiler")
    learned = sub.add_mutually_exclusive_group()
    learned.add_argument("--checkpoint", metavar="KEY", help="use the weights of the run of that key; do not train")
    learned.add_argument("--weights", metavar="NAME|FILE", help="use weights that authors published; do not train")
    control = sub.add_mutually_exclusive_group()
    control.add_argument("--defaults", action="store_true", help="default hyperparameters, not tuned; not ranked")
    control.add_argument("--oracle", action="store_true", help="tuned on the test set, a ceiling; not ranked")
    sub.add_argument("--label", default="", metavar="L", help="the entry becomes METHOD@L")
    sub.add_argument("--force", action="store_true", help="run again what is finished")
    sub.add_argument("--plan", action="store_true", help="list what would run and how long it takes; start nothing")
    sub.add_argument("--cpu", action="store_true", help="use the processor even where there is a GPU")

    sub = command("time", commands.time_, "measure time and memory of finished runs, one at a time, by repeats")
    sub.add_argument("tracks", nargs="+", metavar="TRACK")
    sub.add_argument("-m", "--method", action="append", metavar="METHOD", help="only these methods")
    sub.add_argument("--force", action="store_true", help="measure again")

    for name, function, text in (
        ("stress", commands.stress, "score finished runs under shifts of noise, samples and structure"),
        ("observe", commands.observe, "let a frozen observer judge the images of finished runs by what it finds"),
        ("sensitivity", commands.sensitivity, "map how the findings of finished runs depend on regions of the object"),
    ):
        sub = command(name, function, text)
        sub.add_argument("tracks", nargs="+", metavar="TRACK")
        sub.add_argument("-m", "--method", action="append", metavar="METHOD", help="only these methods")
        sub.add_argument("--jobs", type=positive, metavar="N", help="runs at a time (default: processors, or GPUs)")
        sub.add_argument("--force", action="store_true", help="again where it was done")

    sub = command("verify", commands.verify, "run published entries again and compare image by image")
    sub.add_argument("entries", nargs="+", type=Path, metavar="ENTRY", help="a file of leaderboards/")
    sub.add_argument("--images", type=positive, metavar="N", help="only the first N test images")
    sub.add_argument(
        "--renew", action="store_true", help="where the bits agree, renew the source hash of a stale entry"
    )

    sub = command("board", commands.board, "publish finished runs as leaderboard entries and pages")
    sub.add_argument("tracks", nargs="*", metavar="TRACK", help="print only these boards (all are published)")
    sub.add_argument("--runs", type=Path, metavar="DIR", help="read run directories instead of MLflow")
    sub.add_argument("--boards", type=Path, metavar="DIR", help="where entries are kept (default: leaderboards)")

    sub = command("data", commands.data, "list, download or check the data sets")
    sub.add_argument("action", choices=("list", "get", "check"))
    sub.add_argument("names", nargs="*", metavar="NAME", help="data sets (default: all)")

    sub = command("check", commands.check, "run the contract tests on one method, or on the tracks of a task")
    sub.add_argument(
        "what",
        metavar="METHOD|TASK",
        help="method by name or file, task (all tracks whose data are here), or task:track",
    )
    sub.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where a method is checked (default cpu)")

    sub = command("ui", commands.ui, "open the MLflow dashboard on this store")
    sub.add_argument("--host", default="127.0.0.1")
    sub.add_argument("--port", type=int, default=5000)

    sub = command("export", commands.export, "pack finished runs into one archive for another machine")
    sub.add_argument("archive", type=Path, metavar="FILE.tar.gz")

    sub = command("import", commands.import_, "add the runs of an archive, or of run directories, to this store")
    sub.add_argument("sources", nargs="+", type=Path, metavar="ARCHIVE|DIR")
    return top


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        hint = "Give each method its own -m. " if message.startswith("unrecognized arguments") else ""
        self.exit(2, f"bench: {message}. {hint}`{self.prog} --help` tells more.\n")


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

        head, changed = commit()
        print(f"reconbench {version('reconbench')}, commit {head or 'unknown'}{' (changed)' if changed else ''}")
        print(f"BENCH_COMMIT={head}:{source_hash()}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
