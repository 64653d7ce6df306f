"""`bench run --plan` tells what is done, what would run and for how long, and starts nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import toy
from fabricate import PROTOCOL, SCORED, code, failed, result, run_directory, sources, timing

from bench import plan as planning
from bench.cli import main
from bench.leaderboard.selection import entries
from bench.leaderboard.staleness import Now
from bench.places import partial, runs
from bench.plan import Planned, duration, lines, makespan, plan, published
from bench.runs.store import hold

ROOT = Path(__file__).parents[2]
NOWHERE = Path("no_boards")


@pytest.fixture
def spec(toys, store, shrink):
    return lambda seed=0, **wish: toy.spec(shrink, seed=seed, **wish)


def earlier(spec, seconds, made=result, **changes):
    """A run of the method and track of a spec, under another key."""
    values = {"task": "toy", "track": "mini", "method": spec.method.name, "family": "handcrafted", "seconds": seconds}
    run_directory(runs(), made(group=f"{seconds}", **values, **changes))


def test_the_expected_time_is_the_median_of_earlier_runs_of_the_same_kind(spec):
    one = spec()
    for seconds in (5.0, 6.0, 40.0):
        earlier(one, seconds)
    earlier(one, 1000.0, limit=6)
    earlier(one, 2000.0, accelerator="cuda")
    earlier(one, 3000.0, label="x")
    earlier(one, 0.1, failed)
    (planned,) = plan([one], boards=NOWHERE)
    (planned,) = plan([one], boards=NOWHERE)
    assert (planned.state, planned.seconds, planned.source) == ("to run", 6.0, "3 earlier runs")


def test_states(spec, store):
    specs = [spec(seed) for seed in range(4)]
    values = {"task": "toy", "track": "mini", "method": specs[0].method.name, "seconds": 7.5}
    run_directory(runs(), result(**values).model_copy(update={"key": specs[0].key}))
    partial(specs[1].key).mkdir(parents=True)
    (partial(specs[1].key) / "last.ckpt").touch()
    with hold(store / "claims" / specs[2].key):
        planned = plan(specs, boards=NOWHERE)
        assert [one.state for one in planned] == ["done", "interrupted", "at work", "to run"]
        assert planned[0].seconds == 7.5
        text = list(lines(planned, 1))
        assert text[-1] == "1 of 4 done, 2 to run, 1 at work in another command: about 15 s with 1 job"
        assert re.fullmatch(rf"toy:mini  shrink  0     {specs[0].key[:8]}  done         8 s", text[1])
    assert [one.state for one in plan(specs[:1], force=True, boards=NOWHERE)] == ["to run"]


def test_an_entry_tells_where_the_store_does_not(spec, tmp_path):
    """It keeps the seconds of the tuning and of the training of each seed, and of an image."""
    one = spec()
    values = {"task": "toy", "method": one.method.name, "group": "one", "seeds": [0, 1]}
    values |= {"learned": True, "training": {"steps": 20, "seconds": 20.0}}
    results = [result(seed=seed, tuning={"seconds": 10.0 + 4 * seed}, **values) for seed in range(2)]
    now = Now(PROTOCOL, sources, code, lambda name, learned: (1, SCORED), list)
    (entry,), problems = entries(results, now, timing={results[0].key: timing(seconds_per_image=0.5)})
    assert problems == []
    path = tmp_path / "toy" / "mini" / f"{one.method.name}.json"
    path.parent.mkdir(parents=True)
    path.write_text(entry.to_json())
    (planned,) = plan([one], boards=tmp_path)
    assert planned.seconds == pytest.approx(12.0 + 20.0 + 6 * 0.5)
    assert planned.source == "its entry, cpu"
    assert published(entry.model_copy(update={"timing": None})) == pytest.approx(32.0)
    assert plan([one.model_copy(update={"accelerator": "cuda"})], boards=tmp_path)[0].seconds is None
    path.write_text("{")
    assert plan([one], boards=tmp_path)[0].seconds is None


def test_the_total_is_that_of_the_jobs_with_trainings_first(spec):
    one = spec()
    trained = one.model_copy(update={"key": "b" * 20, "method": one.method.model_copy(update={"learned": True})})
    unknown = one.model_copy(update={"key": "c" * 20})
    planned = [
        Planned(one, "to run", 30.0, ""),
        Planned(trained, "to run", 90.0, ""),
        Planned(unknown, "to run", None, ""),
    ]
    assert list(lines(planned, 2))[-1] == (
        "0 of 3 done, 3 to run: about 1 min 30 s with 2 jobs; the time of 1 is not known"
    )
    assert list(lines([], 2))[-1] == "0 of 0 done, 0 to run"


def test_makespan_is_by_the_first_free_place():
    assert makespan([4, 3, 2, 1], 1) == 10
    assert makespan([4, 3, 2, 1], 2) == 5
    assert makespan([1, 1, 4], 2) == 5
    assert makespan([2, 3], 9) == 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.254, "0.25 s"), (59.4, "59 s"), (59.6, "1 min"), (126, "2 min 6 s"), (7199.9, "2 h"), (9000, "2 h 30 min")],
)
def test_durations_are_read_at_a_glance(seconds, text):
    assert duration(seconds) == text


@pytest.mark.usefixtures("toys", "untracked", "signals")
def test_the_command_starts_and_writes_no_run(store, shrink, capsys, monkeypatch):
    monkeypatch.setattr(planning, "DEFAULT", NOWHERE)
    words = ["run", "toy", "toy:exact", "-m", shrink, "--seed", "0", "1", "--cpu", "--jobs", "3"]
    assert main([*words, "--plan"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 6
    assert out[-1] == "0 of 4 done, 4 to run; the time of 4 is not known"
    assert list((store / "runs").iterdir()) == []
    assert not (store / "claims").exists()


def test_a_plan_of_described_methods_imports_nothing_heavy(store, capsys):
    """Its second call answers without a process that imports PyTorch."""
    words = ["run", "denoising", "-m", "direct", "--cpu", "--plan"]
    assert main(words) == 0
    code = (
        "import sys; from bench.cli import main; from bench.engines.local import LocalEngine\n"
        "LocalEngine._start = None\n"  # no process can be started
        f"status = main({words})\n"
        "sys.exit(status or any(name in sys.modules for name in ('torch', 'mlflow', 'numpy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == capsys.readouterr().out
    assert done.stdout.count("denoising:mini  direct") == 1
