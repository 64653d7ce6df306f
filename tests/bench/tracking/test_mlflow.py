"""A run directory in MLflow, and results back from it."""

import json
import multiprocessing
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from fabricate import failed, png, result, run_directory

from bench.errors import BenchError
from bench.leaderboard.statistics import mean_interval
from bench.runs.records import Result, Sensitivity, Stress
from bench.tracking import address, dashboard
from bench.tracking import mlflow as tracking
from bench.tracking.mirror import tracked


def files_of(run):
    return Path(run.info.artifact_uri.removeprefix("file://"))


def test_a_run_is_logged_whole(store, client, runs_of):
    outcome = result(
        "unet", label="x", training={"steps": 20, "seconds": 4.5}, hyperparameters={"lam": 0.1, "long": "y" * 900}
    )
    folder = run_directory(store / "runs", outcome, steps=1200)
    assert not tracked(folder)
    run = client.get_run(tracking.log(folder))
    assert tracked(folder)

    assert run.info.status == "FINISHED"
    assert run.info.run_name == "unet@x mini seed 0"
    assert run.data.metrics["psnr"] == round(outcome.mean("psnr"), 2)
    assert run.data.metrics["training_seconds"] == 4.5
    low, high = map(float, run.data.tags["interval"].strip("[]").split(", "))
    found = mean_interval({0: {name: scores["psnr"] for name, scores in outcome.per_image.items()}}, outcome.groups)
    assert (low, high) == pytest.approx((found.low, found.high), abs=0.005)
    assert run.data.params["lam"] == "0.1"
    assert run.data.params["long"] == "y" * 500
    assert run.data.tags["mlflow.source.git.commit"] == outcome.commit
    assert run.data.tags["env.torch"] == "2.15.0"
    assert run.data.tags["mlflow.note.content"].startswith(f"psnr {outcome.mean('psnr'):.4g} dB, ssim ")
    assert "mlflow.user" not in run.data.tags
    assert len(client.get_metric_history(run.info.run_id, "curves/train_loss")) == 1200
    assert [point.step for point in client.get_metric_history(run.info.run_id, "system/cpu_percent")][:3] == [0, 1, 2]
    contexts = {data.tags[0].value: json.loads(data.dataset.profile) for data in run.inputs.dataset_inputs}
    assert contexts == {"train": {"images": 200}, "val": {"images": 2}, "test": {"images": 6}}
    files = {path.relative_to(files_of(run)).as_posix() for path in files_of(run).rglob("*")}
    assert {"result.json", "config.json", "checkpoint.ckpt", "per_image.json", "pictures/image-0.png"} <= files
    assert "tracked.json" not in files

    trials = runs_of(f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert {(t.info.run_name, t.info.status, t.data.params["lam"]) for t in trials} == {
        ("trial 0", "FINISHED", "0.1"),
        ("trial 1", "FAILED", "9.0"),
    }
    assert {t.data.metrics.get("score") for t in trials} == {27.5, None}


def test_results_come_back_as_they_were(store):
    outcome = result("tv", task="ct")
    folder = run_directory(store / "runs", outcome)
    tracking.log(folder)
    assert tracking.results() == [Result.read(folder / "result.json")]


def test_logging_twice_is_logging_once(store, runs_of, client):
    folder = run_directory(store / "runs", result("twice"))
    first = tracking.log(folder)
    (folder / "tracked.json").unlink()
    assert tracking.log(folder) == first
    assert len(runs_of("tags.method = 'twice'")) == 1


def test_a_failed_run_shows_why_and_is_replaced_when_it_succeeds(store, runs_of, client):
    outcome = failed("late")
    folder = run_directory(store / "runs", outcome)
    run = client.get_run(tracking.log(folder))
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"] == outcome.reason
    old = files_of(run)
    assert (old / "traceback.txt").exists()
    folder.rename(store / "old")
    again = tracking.log(run_directory(store / "runs", result("late")))
    (run,) = runs_of("tags.method = 'late'")
    assert (run.info.run_id, run.info.status) == (again, "FINISHED")
    assert not old.exists()


def test_what_was_cut_short_is_replaced(store, client, runs_of, monkeypatch):
    folder = run_directory(store / "runs", result("cut"))
    with monkeypatch.context() as patch:
        patch.setattr(type(client), "set_terminated", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tracking.log(folder)
    assert not tracked(folder)
    assert "cut" not in {found.method for found in tracking.results()}
    tracking.log(folder)
    (run,) = runs_of("tags.method = 'cut'")
    assert len(runs_of(f"tags.`bench.trial_of` = '{run.data.tags['bench.key']}'")) == 2


def log_seeds(folders):
    for folder in folders:
        tracking.log(folder)


def test_processes_may_log_at_the_same_time(store, client):
    folders = [run_directory(store / "runs", result("many", seed), steps=2) for seed in range(6)]
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=log_seeds, args=(folders[i::2],)) for i in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(found.seed for found in tracking.results() if found.method == "many") == list(range(6))


def test_a_read_only_run_directory_is_logged_too(store, monkeypatch):
    folder = run_directory(store / "runs", result("read_only"))

    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    tracking.log(folder)
    assert tracked(folder)
    assert not (folder / "tracked.json").exists()


def test_a_run_that_cannot_be_logged_does_not_stop_the_others(store):
    folders = [run_directory(store / "runs", result(name), steps=2) for name in ("one", "two")]
    (folders[0] / "result.json").write_text("{")
    lines = []
    assert tracking.log_all(folders, lines.append) == (1, 1)
    (line,) = lines
    assert line.startswith(f"not tracked: {folders[0]}/result.json is no valid result")


@contextmanager
def server(answer):
    """An address at which something listens: ``answer(connection)`` is all that it does."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        kept = []
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://me:secret@127.0.0.1:{listening.getsockname()[1]}", kept
        for connection in kept:
            connection.close()
        listening.shutdown(socket.SHUT_RDWR)


SERVERS = {
    "never answers": lambda connection: None,
    "hangs up": lambda connection: connection.close(),
    "talks nonsense": lambda connection: connection.sendall(b"\0" * 100),
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_does_not_answer_costs_seconds_once(store, monkeypatch, name):
    monkeypatch.setattr(address, "PROBE", 0.5)
    folders = [run_directory(store / "runs", result(f"away{number}"), steps=2) for number in range(5)]
    with server(SERVERS[name]) as (at, asked):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", at)
        start, lines = time.monotonic(), []
        assert tracking.log_all(folders, lines.append) == (0, 5)
        assert time.monotonic() - start < 5
        assert len(asked) <= 2
    (line,) = lines
    assert "does not answer" in line
    assert "The runs are kept; the same command sends them" in line
    assert "secret" not in line
    assert "\n" not in line


def test_a_server_that_is_away_is_one_line(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    folder = run_directory(store / "runs", result("away"))
    with pytest.raises(tracking.Away, match=r"127\.0\.0\.1:9 does not answer: .*Connection refused") as caught:
        tracking.log(folder)
    assert "secret" not in str(caught.value)
    assert not tracked(folder)


def test_a_mark_of_another_server_or_of_another_result_is_not_believed(store, monkeypatch):
    from bench.tracking import fields, mirror

    folder = run_directory(store / "runs", result("tv"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://one")
    mirror.mark(folder, fields.digest(folder), "1")
    assert tracked(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://two")
    assert not tracked(folder)
    mirror.mark(folder, "0" * 64, "1")
    assert not tracked(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    mirror.mark(folder, fields.digest(folder), "1")
    assert not tracked(folder)  # the database of the store does not hold it


def test_without_mlflow_the_remedy_is_told(store, monkeypatch):
    monkeypatch.setattr(address, "available", lambda: False)
    for call in (tracking.results, lambda: dashboard.command("127.0.0.1", 5000)):
        with pytest.raises(BenchError, match=r"pip install 'reconbench\[tracking\]'"):
            call()


def test_mlflow_is_switched_off_by_the_environment(store, monkeypatch):
    assert tracking.available()
    monkeypatch.setenv("BENCH_TRACKING", "off")
    assert not tracking.available()
    with pytest.raises(BenchError, match="switched off"):
        tracking.results()


def test_no_database_means_no_results(monkeypatch, tmp_path):
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "none"))
    assert tracking.results() == []
    assert not (tmp_path / "none").exists()


def test_logging_says_nothing_on_the_terminal(store):
    folder = run_directory(store / "runs", result("quiet"))
    code = f"from pathlib import Path; from bench.tracking import mlflow; mlflow.log(Path({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_map_that_is_made_later_comes_among_the_pictures(store, client, runs_of):
    folder = run_directory(store / "runs", result("later"))
    tracking.log(folder)
    (folder / "sensitivity.png").write_bytes(png(30, 40))
    shares = {"a": 0.5, "b": 0.25}
    more = Sensitivity(region="lungs", inside=shares, area=shares, device="cpu", commit="c", date="2026-03-01T11:00:00")
    (folder / "sensitivity.json").write_text(more.to_json())
    assert not tracked(folder)
    run = client.get_run(tracking.log(folder))
    assert tracked(folder)
    assert run.data.metrics["sensitivity_inside"] == 0.375
    assert any("sensitivity" in path.name for path in (files_of(run) / "images").iterdir())
    assert len(runs_of("tags.`bench.kind` = 'run'")) == 1


def test_pictures_of_shifts_that_are_made_later_come_among_the_others(store, client, runs_of):
    folder = run_directory(store / "runs", result("stressed"))
    tracking.log(folder)
    (folder / "stress-noise.png").write_bytes(png(30, 40))
    record = Stress(shifts={}, own={}, titles={}, primary="psnr", device="cpu", commit="c", date="2026-03-01T11:00:00")
    (folder / "stress.json").write_text(record.to_json())
    assert not tracked(folder)
    run = client.get_run(tracking.log(folder))
    assert tracked(folder)
    assert any("shifts" in path.name and "noise" in path.name for path in (files_of(run) / "images").iterdir())
    assert len(runs_of("tags.`bench.kind` = 'run'")) == 1
