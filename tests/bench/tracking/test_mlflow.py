"""Against an MLflow database in a temporary store; made once, for that takes seconds."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from fabricate import failed, result, run_directory

from bench.errors import BenchError
from bench.tracking import address, dashboard
from bench.tracking import mlflow as tracking

pytest.importorskip("mlflow")
# Third parties' affairs, none of which one can act upon here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def store(root, monkeypatch):
    monkeypatch.setenv("BENCH_STORE", str(root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return root


@pytest.fixture
def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking.uri())


def runs_of(client, filter_string):
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return list(client.search_runs(experiments, filter_string))


def test_a_run_is_logged_whole(store, client):
    outcome = result(
        "unet", label="x", training={"steps": 20, "seconds": 4.5}, hyperparameters={"lam": 0.1, "long": "y" * 900}
    )
    folder = run_directory(store / "runs", outcome, steps=1200)
    assert not tracking.tracked(folder)
    run = client.get_run(tracking.log(folder))
    assert tracking.tracked(folder)

    assert run.info.status == "FINISHED"
    assert run.info.run_name == "unet@x mini seed 0"
    assert run.data.metrics["psnr"] == outcome.mean("psnr")
    assert run.data.metrics["training_seconds"] == 4.5
    assert run.data.params["lam"] == "0.1"
    assert run.data.params["long"] == "y" * 500
    assert run.data.tags["mlflow.source.git.commit"] == outcome.commit
    assert run.data.tags["env.torch"] == "2.15.0"
    assert run.data.tags["mlflow.note.content"].startswith(f"psnr {outcome.mean('psnr'):.4g} dB, ssim ")
    assert "mlflow.user" not in run.data.tags
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 1200
    assert [point.step for point in client.get_metric_history(run.info.run_id, "system/cpu_percent")][:3] == [0, 1, 2]
    contexts = {data.tags[0].value: json.loads(data.dataset.profile) for data in run.inputs.dataset_inputs}
    assert contexts == {"train": {"images": 200}, "val": {"images": 2}, "test": {"images": 6}}
    files = {path.relative_to(run.info.artifact_uri).as_posix() for path in Path(run.info.artifact_uri).rglob("*")}
    assert {"result.json", "config.json", "checkpoint.ckpt", "per_image.json", "pictures/image-0.png"} <= files
    assert "tracked.json" not in files

    trials = runs_of(client, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert {(t.info.run_name, t.info.status, t.data.params["lam"]) for t in trials} == {
        ("trial 0", "FINISHED", "0.1"),
        ("trial 1", "FAILED", "9.0"),
    }
    assert {t.data.metrics.get("score") for t in trials} == {27.5, None}


def test_results_come_back_as_they_were(store):
    outcome = result("tv", task="ct")
    tracking.log(run_directory(store / "runs", outcome))
    assert tracking.results("ct") == [outcome]
    assert outcome in tracking.results()
    assert tracking.results("qsm") == []


def test_logging_twice_is_logging_once(store, client):
    folder = run_directory(store / "runs", result("twice"))
    first = tracking.log(folder)
    (folder / "tracked.json").unlink()
    assert tracking.log(folder) == first
    assert len(runs_of(client, "tags.method = 'twice'")) == 1


def test_a_failed_run_shows_why_and_is_replaced_when_it_succeeds(store, client):
    outcome = failed("late")
    folder = run_directory(store / "runs", outcome)
    run = client.get_run(tracking.log(folder))
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"] == outcome.reason
    old = Path(run.info.artifact_uri)
    assert (old / "traceback.txt").exists()
    folder.rename(store / "old")
    again = tracking.log(run_directory(store / "runs", result("late")))
    (run,) = runs_of(client, "tags.method = 'late'")
    assert (run.info.run_id, run.info.status) == (again, "FINISHED")
    assert not old.exists()


def test_what_was_cut_short_is_replaced(store, client, monkeypatch):
    folder = run_directory(store / "runs", result("cut"))
    with monkeypatch.context() as patch:
        patch.setattr(type(client), "set_terminated", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tracking.log(folder)
    assert not tracking.tracked(folder)
    assert "cut" not in {found.method for found in tracking.results()}
    tracking.log(folder)
    (run,) = runs_of(client, "tags.method = 'cut'")
    assert len(runs_of(client, f"tags.`bench.trial_of` = '{run.data.tags['bench.key']}'")) == 2


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
    assert not tracking.tracked(folder)


def test_a_server_that_is_away_is_one_line(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = run_directory(store / "runs", result("away"))
    with pytest.raises(BenchError, match=r"127\.0\.0\.1:9 failed") as caught:
        tracking.log(folder)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(BenchError, match="open it in a browser"):
        dashboard.command("127.0.0.1", 5000)


def test_a_store_that_was_moved_is_told(store, monkeypatch, tmp_path):
    folder = run_directory(store / "runs", result("moved"))
    tracking.log(folder)
    (tmp_path / "mlflow.db").write_bytes((store / "mlflow.db").read_bytes())
    monkeypatch.setenv("BENCH_STORE", str(tmp_path))
    assert not tracking.tracked(folder)
    for call in (lambda: tracking.log(folder), tracking.results):
        with pytest.raises(BenchError, match="made in another folder"):
            call()


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
    assert tracking.experiments() == {}
    assert not (tmp_path / "none").exists()


def test_the_dashboard_has_a_link_for_every_task(store):
    tracking.log(run_directory(store / "runs", result("link", task="qsm")))
    number = tracking.experiments()["qsm"]
    assert dashboard.links("127.0.0.1", 5000)["qsm"].startswith(f"http://127.0.0.1:5000/#/experiments/{number}/runs?")
    assert f"sqlite:///{store}/mlflow.db" in dashboard.command("127.0.0.1", 5000)


def test_logging_says_nothing_on_the_terminal(store):
    folder = run_directory(store / "runs", result("quiet"))
    code = f"from pathlib import Path; from bench.tracking import mlflow; mlflow.log(Path({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
