"""Killed at any moment and typed again, `bench run` says how much is done, does the rest, and repeats nothing."""

import os
import signal
from pathlib import Path

import pytest
import torch
import toy

from bench.cli import main
from bench.engines.processes import context
from bench.places import partial
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store", "untracked", "signals")
PATIENCE = 30  # seconds until a test gives up waiting


def finished(store: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file of every finished run."""
    files = [file for file in (store / "runs").glob("[!.]*/**/*") if file.is_file()]
    return {str(file.relative_to(store)): (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


@pytest.fixture
def typed():
    """Starts a command line in a process of its own."""
    started = []

    def start(words):
        process = context().Process(target=toy.typed, args=(words, dict(os.environ)))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.fixture
def command(tmp_path, store, typed):
    """Starts `bench run` on six runs that wait once ``before`` of them are done, so that it can't end by itself.

    `again` is the same command here, whose runs don't wait; `pids` are the processes it used.
    """
    started, go_on = tmp_path / "started", tmp_path / "go_on"
    started.mkdir()
    words = ["run", "toy", "-m", "", "--seed", "0", "1", "2", "3", "4", "5", "--jobs", "2", "--cpu"]

    def start(before):
        body = (
            f"open(os.path.join({str(started)!r}, str(os.getpid())), 'w').close()\n"
            f"done = lambda: len(glob.glob({str(store / 'runs' / '*' / 'result.json')!r}))\n"
            f"while done() >= {before} and not os.path.exists({str(go_on)!r}):\n"
            "    time.sleep(0.005)\n"
            "return y"
        )
        words[3] = toy.method_file(tmp_path, "waits", body)
        return typed(words)

    def again():
        go_on.touch()
        return main(words)

    start.again = again
    start.pids = lambda: [int(path.name) for path in started.iterdir()]
    return start


@pytest.mark.parametrize(("number", "before"), [(signal.SIGKILL, 0), (signal.SIGKILL, 3), (signal.SIGTERM, 2)])
def test_a_command_that_was_killed_goes_on_where_it_was(command, store, capsys, number, before):
    done = lambda: len(list((store / "runs").glob("[!.]*/result.json")))  # noqa: E731
    process = command(before)
    toy.until(lambda: done() >= before and len(command.pids()) > before)
    os.kill(process.pid, number)
    process.join()
    toy.until(lambda: not any(map(toy.alive, command.pids())))
    kept, count = finished(store), done()
    assert before <= count < 6

    capsys.readouterr()
    assert command.again() == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{count} of 6 done, {6 - count} to go" or count == 0
    assert len([line for line in shown if " seed " in line]) == 6 - count
    assert done() == 6
    assert kept.items() <= finished(store).items()
    assert sorted(Result.read(p).seed for p in (store / "runs").glob("*/result.json")) == [0, 1, 2, 3, 4, 5]
    assert not list((store / "runs").glob(".tmp-*"))

    assert command.again() == 0
    assert capsys.readouterr().out == "6 of 6 done, 0 to go\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_method_that_hangs_holds_up_no_other_and_ends_with_the_command(tmp_path, store, typed, number, status):
    pid = tmp_path / "pid"
    body = f"open({str(pid)!r}, 'w').write(str(os.getpid()))\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    hangs = toy.method_file(tmp_path, "hangs", body + f"time.sleep(4 * {PATIENCE})")
    good = toy.method_file(tmp_path, "good", "return y")
    words = ["run", "toy", "-m", hangs, "-m", good, "--seed", "0", "1", "--jobs", "3", "--cpu"]
    process = typed(words)
    toy.until(lambda: len(list((store / "runs").glob("[!.]*/result.json"))) == 2 and pid.exists() and pid.read_text())
    assert toy.alive(int(pid.read_text()))
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode == status
    toy.until(lambda: not toy.alive(int(pid.read_text())))
    assert number == signal.SIGKILL or not list((store / "runs").glob(".tmp-*"))


TRAINED = (
    toy.TINY_NETWORK
    + """
    def training_step(self, batch, index):
        while index == 5 and not os.path.exists({0!r}):
            time.sleep(0.005)
        return super().training_step(batch, index)
"""
)


def outcome(store):
    """What one finished run has learned, and its result."""
    (folder,) = (store / "runs").glob("[!.]*")
    weights = torch.load(folder / "checkpoint.ckpt", weights_only=True)["state_dict"]
    return weights, Result.read(folder / "result.json")


def test_a_training_that_was_killed_goes_on_to_the_weights_of_one_that_was_not(tmp_path, store, typed, monkeypatch):
    go_on = tmp_path / "go_on"
    method = toy.method_file(tmp_path, "net", TRAINED.format(str(go_on)), "LearnedMethod")
    words = ["run", "toy", "-m", method, "--cpu"]
    process = typed(words)
    toy.until(lambda: list(store.glob("partial/*/last.ckpt")))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not list((store / "runs").glob("[!.]*"))

    go_on.touch()
    assert main(words) == 0
    weights, result = outcome(store)
    assert result.training["resumed_at"][0] in (2, 4)
    assert not partial(result.key).exists()

    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "other"))
    assert main(words) == 0
    uninterrupted, other = outcome(tmp_path / "other")
    assert "resumed_at" not in other.training
    assert weights.keys() == uninterrupted.keys()
    assert all(torch.equal(weights[name], uninterrupted[name]) for name in weights)
    assert result.per_image == other.per_image
