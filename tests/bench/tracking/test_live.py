"""Runs at work in MLflow, by made-up journals."""

import json
import shutil
import time

import pytest
from fabricate import failed, png, result, run_directory

from bench.runs.store import hold
from bench.tracking import journal, live
from bench.tracking import mlflow as tracking
from bench.tracking.live import Follower

POINTS = [["train_loss", step, 1_770_000_000.0 + step, 1 / (step + 1)] for step in range(20)]
LOADS = [["system/cpu_percent", step, 1_770_000_000.0 + step, 50 + step % 7] for step in range(20)]
TRIAL = {"number": 0, "hyperparameters": {"lam": 0.1}, "score": 27.5, "seconds": 1.0, "state": "ok", "reason": ""}
COMPARISON = {"id": "18e0-1", "command": "bench run denoising -m tv -m tgv", "start": 1_769_999_990.0}


@pytest.fixture
def follower(client):
    lines = []
    made = Follower(lines.append)
    made.lines = lines
    return made


@pytest.fixture
def working(store):
    """Begin a journal; the process that works on it is this one until the returned claim is left."""

    def begin(header):
        path = journal.path_of(header["key"])
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"header": header}) + "\n")
        claim = hold(path.with_suffix(journal.RUNS))
        claim.__enter__()
        return path, claim

    return begin


def test_a_run_appears_grows_and_becomes_whole(store, client, runs_of, follower, working, header):
    outcome = result("tv")
    path, claim = working(header(outcome.key))
    assert follower.look()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert (run.info.status, run.info.run_name) == ("RUNNING", "tv mini seed 0")
    assert run.data.params == {"method": "tv", "seed": "0"}
    assert run.info.start_time == 1_770_000_000_000

    journal.append(path, {"points": POINTS[:7] + LOADS[:3], "trials": [TRIAL]})
    assert follower.look()
    assert not follower.look()
    assert [p.step for p in client.get_metric_history(run.info.run_id, "curves/train_loss")] == list(range(7))
    assert [p.step for p in client.get_metric_history(run.info.run_id, "system/cpu_percent")] == [0, 1, 2]
    (trial,) = runs_of(f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert (trial.info.run_name, trial.data.metrics["score"], trial.data.params) == ("trial 0", 27.5, {"lam": "0.1"})

    run_directory(store / "runs", outcome)
    journal.end(outcome.key, "")
    claim.__exit__()
    assert follower.look()
    (whole,) = runs_of("tags.`bench.kind` = 'run'")
    assert whole.info.run_id == run.info.run_id
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["psnr"] == round(outcome.mean("psnr"), 2)
    assert [p.value for p in client.get_metric_history(run.info.run_id, "curves/train_loss")] == [p[3] for p in POINTS]
    trials = runs_of(f"tags.`bench.trial_of` = '{outcome.key}'")
    assert {(one.info.run_name, one.info.status) for one in trials} == {("trial 0", "FINISHED"), ("trial 1", "FAILED")}
    assert [one.model_copy(update={"files": {}}) for one in tracking.results()] == [outcome]
    assert list(journal.folder().iterdir()) == []
    assert follower.lines == []


def test_another_tracker_goes_on_with_the_same_run(client, runs_of, follower, working, header):
    path, claim = working(header())
    journal.append(path, {"points": POINTS[:5], "trials": [TRIAL]})
    follower.look()
    journal.append(path, {"points": POINTS[5:9], "trials": [TRIAL | {"number": 1}]})
    Follower(print).look()
    claim.__exit__()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert [p.step for p in client.get_metric_history(run.info.run_id, "curves/train_loss")] == list(range(9))
    assert sorted(one.info.run_name for one in runs_of("tags.`bench.kind` = 'trial'")) == ["trial 0", "trial 1"]


def test_looks_at_a_validation_image_are_handed_in_once(store, client, runs_of, follower, working, header):
    """While the run works, by two trackers, and at its end, when the run directory holds all of them."""
    outcome = result("tv")
    path, claim = working(header(outcome.key))
    there = store / "partial" / outcome.key / "validation" / "val-0"
    there.mkdir(parents=True)
    for step in (10, 20, 30):
        (there / f"{step}.png").write_bytes(png())
    gone = str(there / "5.png")
    journal.append(path, {"points": [], "trials": [], "looks": [gone, str(there / "10.png")]})
    follower.look()
    (run,) = runs_of("tags.`bench.kind` = 'run'")

    def shown():
        with tracking.session() as server:
            found = server.images(run.info.run_id)
        return sorted((step, "compressed" in name) for key, step, name in found if key == "validation/val-0")

    assert shown() == [(10, False), (10, True)]
    assert client.get_run(run.info.run_id).data.tags["mlflow.loggedImages"] == "True"
    journal.append(path, {"points": [], "trials": [], "looks": [str(there / "20.png")]})
    Follower(print).look()
    assert shown() == [(step, small) for step in (10, 20) for small in (False, True)]
    folder = run_directory(store / "runs", outcome)
    shutil.copytree(there.parent, folder / "validation")
    journal.end(outcome.key, "")
    claim.__exit__()
    follower.look()
    assert follower.lines == []
    assert shown() == [(step, small) for step in (10, 20, 30) for small in (False, True)]
    assert {run.info.status for run in runs_of("tags.`bench.kind` = 'run'")} == {"FINISHED"}


def test_pictures_that_go_while_others_are_handed_in_are_passed_over(
    store, runs_of, follower, working, header, monkeypatch
):
    """A training that ends moves its pictures, at any moment."""
    path, _ = working(header())
    for step in (10, 20):
        (store / f"{step}.png").write_bytes(png())
    from mlflow import MlflowClient

    log_image = MlflowClient.log_image

    def slow(*arguments, **named):
        (store / "20.png").unlink()
        log_image(*arguments, **named)

    monkeypatch.setattr(MlflowClient, "log_image", slow)
    journal.append(path, {"points": POINTS, "trials": [], "looks": [str(store / "10.png"), str(store / "20.png")]})
    follower.look()
    assert follower.lines == []
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    with tracking.session() as server:
        assert {step for _, step, _ in server.images(run.info.run_id)} == {10}


def test_a_run_whose_process_is_gone_is_killed(runs_of, follower, working, header):
    _, claim = working(header())
    follower.look()
    claim.__exit__()
    follower.look()
    follower.look()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert (run.info.status, run.data.tags["reason"]) == ("KILLED", "it was stopped")
    assert list(journal.folder().iterdir()) == []


def test_a_run_that_failed_says_why(store, runs_of, follower, working, header):
    outcome = failed("tv")
    _, claim = working(header(outcome.key))
    follower.look()
    run_directory(store / "runs", outcome)
    journal.end(outcome.key, outcome.reason)
    claim.__exit__()
    follower.look()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert (run.info.status, run.data.tags["reason"]) == ("FAILED", outcome.reason)


def test_a_run_that_failed_beside_a_finished_one_leaves_that(store, runs_of, follower, working, header):
    """As with `--force`: the run directory is older than the journal."""
    outcome = result("tv")
    whole = tracking.log(run_directory(store / "runs", outcome))
    _, claim = working(header(outcome.key, start=time.time() + 60))
    follower.look()
    journal.end(outcome.key, "x_hat is not finite")
    claim.__exit__()
    follower.look()
    found = {run.info.run_id: run.info.status for run in runs_of("tags.`bench.kind` = 'run'")}
    assert found.pop(whole) == "FINISHED"
    assert list(found.values()) == ["FAILED"]


def test_runs_stand_below_their_command(store, runs_of, follower, working, header):
    claims = []
    journal.folder().mkdir()
    with hold(journal.folder() / f"{COMPARISON['id']}{journal.COMMANDS}"):
        for number, track in enumerate(("denoising:mini", "denoising:mini", "ct:mini")):
            key = f"{number}" * 12
            claims.append(working(header(key, track=track, comparison=COMPARISON))[1])
        follower.look()
        above = {run.info.experiment_id: run for run in runs_of("tags.`bench.kind` = 'comparison'")}
        assert len(above) == 2
        for run in runs_of("tags.`bench.kind` = 'run'"):
            parent = above[run.info.experiment_id]
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert (parent.info.status, parent.info.run_name) == ("RUNNING", COMPARISON["command"])
        for claim in claims:
            claim.__exit__()
        for _ in range(3):
            follower.look()
        assert {run.info.status for run in runs_of("tags.`bench.kind` = 'comparison'")} == {"RUNNING"}
    follower.look()
    assert {run.info.status for run in runs_of("tags.`bench.kind` = 'comparison'")} == {"FINISHED"}


def test_what_a_killed_command_left_as_running_is_closed_by_the_next(store, runs_of, follower, working, header):
    path, claim = working(header(comparison=COMPARISON))
    follower.look()
    claim.__exit__()
    path.unlink()  # its machine is gone, and its journal
    assert {run.info.status for run in runs_of("tags.`bench.live` = 'true'")} == {"RUNNING"}
    Follower(print).look()
    assert runs_of("attributes.status = 'RUNNING'") == []
    assert {run.info.status for run in runs_of("tags.`bench.live` = 'false'")} == {"KILLED"}


def test_a_run_that_was_stopped_and_is_started_again_is_one_run(store, runs_of, follower, working, header):
    _, claim = working(header())
    follower.look()
    claim.__exit__()
    follower.look()
    follower.look()
    _, claim = working(header(start=1_770_000_500.0))
    follower.look()
    claim.__exit__()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert run.info.status == "RUNNING"


def test_what_was_missed_while_mlflow_was_away_is_handed_in_once(
    store, client, runs_of, follower, working, header, monkeypatch
):
    path, claim = working(header())
    follower.look()
    journal.append(path, {"points": POINTS[:4], "trials": [TRIAL]})
    with monkeypatch.context() as patch:
        patch.setattr(live, "session", away)
        with pytest.raises(tracking.Away):
            follower.look()
    journal.append(path, {"points": POINTS[4:6], "trials": []})
    follower.look()
    follower.look()
    claim.__exit__()
    (run,) = runs_of("tags.`bench.kind` = 'run'")
    assert [p.step for p in client.get_metric_history(run.info.run_id, "curves/train_loss")] == list(range(6))
    assert len(runs_of("tags.`bench.kind` = 'trial'")) == 1


def away():
    raise tracking.Away("no server")
