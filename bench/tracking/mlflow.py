"""Results in MLflow: the only file that imports it.

A finished run directory is logged in few batched calls, as often as one likes: a run that MLflow holds whole is left
alone, any other of its key is replaced. By default everything lies in the store (`mlflow.db`, `artifacts/`);
`MLFLOW_TRACKING_URI` names another place.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.places import store
from bench.runs.records import Result
from bench.tracking import fields
from bench.tracking.address import MARKER, available, database, default, prepare, public, remote, tracked, uri

__all__ = [
    "available",
    "experiments",
    "log",
    "preload",
    "prepare",
    "public",
    "remote",
    "results",
    "tracked",
    "try_to_log",
    "uri",
]

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Experiment, Metric, Param, Run

TABLE = "per_image.json"  # the only layout of a table that the dashboard shows as one is pandas' "split" JSON
VIEW = "mlflow.sharedViewState.bench"  # the columns that the dashboard shows at the link of `bench.tracking.dashboard`
BATCH = 1000  # metrics that MLflow takes in one call


def preload() -> None:
    """Import MLflow now, where it is installed: processes forked from this one then hold it."""
    if available():
        prepare()
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def log(run_dir: Path) -> str:
    """Log a run directory and return the id of its MLflow run.

    Raises `BenchError` where MLflow is missing or cannot be reached, and where the directory holds no readable result.
    """
    result = Result.read(run_dir / "result.json")
    digest = hashlib.sha256(result.to_json().encode()).hexdigest()
    with _mlflow() as client:
        experiment = _experiment(client, result)
        run_id = _replace_unfinished(client, experiment, result.key, digest)
        if run_id is None:
            run_id = _log(client, experiment, result, run_dir, digest)
    with suppress(OSError):  # a read-only directory: the next call asks MLflow instead
        (run_dir / MARKER).write_text(json.dumps({"uri": public(uri()), "run_id": run_id}) + "\n", encoding="utf-8")
    return run_id


def try_to_log(run_dir: Path, report: Callable[[str], None]) -> None:
    """Log a run directory; where that fails, the run is kept and can be sent later."""
    try:
        log(run_dir)
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        report(f"not tracked: {line}. The run is kept; the same command or `bench import {run_dir}` sends it again.")


def results(task: str | None = None) -> list[Result]:
    """The results that MLflow holds whole, of one task or of all.

    Raises `BenchError` where MLflow is missing or cannot be reached, or has lost a result.
    """
    prepare()
    if uri() == default() and not database().exists():
        return []  # making a database takes seconds
    found = []
    with _mlflow() as client, tempfile.TemporaryDirectory() as folder:
        experiments = [client.get_experiment_by_name(task)] if task else list(client.search_experiments())
        known = [e.experiment_id for e in experiments if e is not None]
        for run in _search(client, known, "tags.`bench.logged` = 'true'") if known else ():
            _check_place(run.info.artifact_uri)
            path = client.download_artifacts(run.info.run_id, "result.json", folder)
            found.append(Result.read(Path(path)))
    return found


def experiments() -> dict[str, str]:
    """``{task: id of its MLflow experiment}``. Raises `BenchError` where MLflow is missing or cannot be reached."""
    prepare()
    if uri() == default() and not database().exists():
        return {}
    with _mlflow() as client:
        found = list(client.search_experiments(filter_string=f"tags.`{VIEW}` != ''"))
    return {experiment.name: experiment.experiment_id for experiment in found}


@contextmanager
def _mlflow() -> Iterator[MlflowClient]:
    """A client, for one process at a time: making a database and writing to SQLite don't bear company."""
    prepare()
    try:
        store().mkdir(parents=True, exist_ok=True)
        with (store() / "mlflow.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            from mlflow import MlflowClient

            yield MlflowClient(tracking_uri=uri())
    except BenchError:
        raise
    except Exception as error:  # MLflow lets through whatever its database, its server or its disk raises
        line = public(str(error)).strip().partition("\n")[0]
        remedy = "The run directories are whole: `bench import` logs them later."
        raise BenchError(f"MLflow at {public(uri())} failed: {type(error).__name__}: {line} {remedy}") from error


def _experiment(client: MlflowClient, result: Result) -> Experiment:
    experiment = client.get_experiment_by_name(result.task)
    if experiment is None:
        root = None if remote() else str(store() / "artifacts" / result.task)
        tags = {VIEW: json.dumps(fields.view(result)), "mlflow.experimentKind": "custom_model_development"}
        return client.get_experiment(client.create_experiment(result.task, artifact_location=root, tags=tags))
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    _check_place(experiment.artifact_location)
    return experiment


def _check_place(artifacts: str) -> None:
    """MLflow notes where files lie by absolute paths, so that its database cannot be moved."""
    if uri() == default() and not _path(artifacts).is_relative_to(store()):
        raise BenchError(f"{database()} was made in another folder: delete it and `bench import` the run directories.")


def _path(artifacts: str) -> Path:
    return Path(artifacts.removeprefix("file://"))


def _search(client: MlflowClient, experiments: list[str], tag: str) -> Iterator[Run]:
    """Runs by tag, page by page: an unfiltered search is slow."""
    token = None
    while True:
        page = client.search_runs(experiments, tag, max_results=BATCH, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _replace_unfinished(client: MlflowClient, experiment: Experiment, key: str, digest: str) -> str | None:
    """The id of the run that holds just this result, if any; whatever else has its key is deleted, trials too."""
    known = [experiment.experiment_id]
    for run in list(_search(client, known, f"tags.`bench.key` = '{key}'")):
        if run.data.tags.get("bench.digest") == digest and client.list_artifacts(run.info.run_id):
            return run.info.run_id
        _delete(client, run)
    for run in list(_search(client, known, f"tags.`bench.trial_of` = '{key}'")):
        _delete(client, run)
    return None


def _delete(client: MlflowClient, run: Run) -> None:
    client.delete_run(run.info.run_id)
    folder = _path(run.info.artifact_uri)
    if folder.is_relative_to(store() / "artifacts"):  # MLflow would keep the files of what it calls deleted
        shutil.rmtree(folder.parent, ignore_errors=True)


def _log(client: MlflowClient, experiment: Experiment, result: Result, run_dir: Path, digest: str) -> str:
    from mlflow.entities import Metric, RunTag

    end = int(datetime.fromisoformat(result.date).timestamp() * 1000)
    start = end - int(result.seconds * 1000)
    name = f"{result.name} {result.track} seed {result.seed}"
    run = client.create_run(experiment.experiment_id, start_time=start, tags=_tags(result), run_name=name)
    run_id = run.info.run_id

    client.log_batch(run_id, params=_params(fields.parameters(result)))
    points = [
        *_metrics(fields.numbers(result), end),
        *(Metric(p.name, p.value, int(p.time * 1000), p.step) for p in fields.curves(run_dir)),
    ]
    for first in range(0, len(points), BATCH):
        client.log_batch(run_id, metrics=points[first : first + BATCH])
    client.log_inputs(run_id, _datasets(result, run_dir))
    _log_files(client, run_id, result, run_dir)
    _log_trials(client, experiment, run_id, result.key, start, fields.trials(run_dir))

    client.set_terminated(run_id, "FAILED" if result.status == "failed" else "FINISHED", end)
    # Last of all: a run without them was cut short and is replaced.
    client.log_batch(run_id, tags=[RunTag("bench.digest", digest), RunTag("bench.logged", "true")])
    return run_id


def _log_files(client: MlflowClient, run_id: str, result: Result, run_dir: Path) -> None:
    from PIL import Image

    for path in sorted(run_dir.iterdir()):
        if path.is_dir():
            client.log_artifacts(run_id, str(path), path.name)
        elif path.name != MARKER:
            client.log_artifact(run_id, str(path))
    for path in sorted((run_dir / "pictures").glob("*.png")):
        # Once more in the form that the dashboard shows among the charts, side by side for several runs.
        with Image.open(path) as picture:
            client.log_image(run_id, picture, key=re.sub(r"[^\w\-. ]", "_", path.stem, flags=re.ASCII), step=0)
    if result.per_image:
        client.log_dict(run_id, fields.per_image(result), TABLE)


def _log_trials(
    client: MlflowClient, experiment: Experiment, parent: str, key: str, start: int, trials: list[dict[str, Any]]
) -> None:
    for trial in trials:
        tags = {"mlflow.parentRunId": parent, "bench.trial_of": key, "reason": trial.get("reason") or ""}
        name = f"trial {trial['number']}"
        run = client.create_run(experiment.experiment_id, start_time=start, tags=tags, run_name=name)
        start += int(trial["seconds"] * 1000)
        numbers = {"score": trial["score"], "seconds": trial["seconds"]}
        metrics = _metrics({name: value for name, value in numbers.items() if value is not None}, start)
        client.log_batch(run.info.run_id, metrics, _params(fields.shortened(trial["hyperparameters"])))
        client.set_terminated(run.info.run_id, "FINISHED" if trial["state"] == "ok" else "FAILED", start)


def _tags(result: Result) -> dict[str, str]:
    own = {
        "bench.key": result.key,
        "bench.group": result.group,
        "mlflow.source.name": result.command,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": result.commit,
    }
    own["mlflow.note.content"] = fields.description(result)
    if result.per_image:
        own["mlflow.loggedArtifacts"] = json.dumps([{"path": TABLE, "type": "table"}])
    return own | fields.tags(result)


def _params(values: Mapping[str, str]) -> list[Param]:
    from mlflow.entities import Param

    return [Param(name, value) for name, value in values.items()]


def _metrics(values: Mapping[str, float], time: int) -> list[Metric]:
    from mlflow.entities import Metric

    return [Metric(name, value, time, 0) for name, value in values.items()]


def _datasets(result: Result, run_dir: Path) -> list[DatasetInput]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    fingerprint, splits = fields.splits(result, run_dir)
    name = f"{result.task}:{result.track}"
    source = json.dumps({"track": name, "version": result.task_version})
    return [
        DatasetInput(
            Dataset(f"{name} {split}", fingerprint[:36], "local", source, profile=json.dumps({"images": images})),
            [InputTag("mlflow.data.context", split)],
        )
        for split, images in splits.items()
    ]
