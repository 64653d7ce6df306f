"""Results in MLflow: the only file that imports it, but for the front page of its server.

A finished run directory is logged in few batched calls, as often as one likes: a run that MLflow holds whole is left
alone, one that was live becomes whole, any other of its key is replaced. By default everything lies in the store
(`mlflow.db`, `artifacts/`); `MLFLOW_TRACKING_URI` names another one.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint
from bench.places import store
from bench.runs.records import Result
from bench.tracking import database, fields, mirror, views
from bench.tracking.address import (
    Away,
    available,
    default,
    local,
    prepare,
    probe,
    public,
    remote,
    uri,
)

__all__ = ["Away", "Server", "available", "default", "log", "log_all", "preload", "prepare", "public", "remote"]
__all__ += ["results", "session", "uri"]

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

IMAGES = "images"  # MLflow's folder of pictures that stand among the charts
PICTURE = re.compile(r"(.+?)[+%]step[+%](\d+)[+%]")  # key~of~it+step+3+timestamp+...; with # and % in older versions
BATCH = 1000  # metrics that MLflow takes in one call
AWAY = ("API request to", "Max retries", "timed out", "Connection", "database is locked", "disk is full", "disk I/O")


def preload() -> None:
    """Import MLflow now, where it is installed: processes forked from this one then hold it."""
    if available():
        prepare()
        import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def log(run_dir: Path, comparison: str = "") -> str:
    """Log a run directory, under the run ``comparison`` where one is named, and return the id of its MLflow run.

    Raises `BenchError` where MLflow is missing, or where the directory holds no readable result; `Away` where MLflow
    can't be reached.
    """
    digest = fields.digest(run_dir)
    result = Result.read(run_dir / "result.json")
    with session() as server:
        run_id = mirror.log(server, result, run_dir, digest, comparison)
    with suppress(OSError):  # a read-only directory: the next call asks MLflow instead
        mirror.mark(run_dir, digest, run_id)
    return run_id


def log_all(run_dirs: Sequence[Path], report: Callable[[str], None]) -> tuple[int, int]:
    """Log run directories; how many MLflow lacked and got, and how many it lacks still. `Away` ends it early."""
    logged = lacking = 0
    for number, run_dir in enumerate(run_dirs):
        try:
            if number == 0:
                with session():  # a database that is not whole is made again
                    pass
            before = mirror.tracked(run_dir)
            log(run_dir)
            logged += not before
        except Away as error:
            lacking += len(run_dirs) - number
            report(f"not tracked: {error}. The runs are kept; the same command sends them.")
            break
        except BenchError as error:
            lacking += 1
            report(f"not tracked: {error}")
    return logged, lacking


def results() -> list[Result]:
    """The results that MLflow holds whole.

    Raises `BenchError` where MLflow is missing or cannot be reached, or has lost a result.
    """
    prepare()
    if local() and not database.database().exists():
        return []  # making a database takes seconds
    found = []
    with session() as server, tempfile.TemporaryDirectory() as folder:
        for run in server.find("tags.`bench.logged` = 'true' and tags.`bench.format` = '2'"):
            path = server.client.download_artifacts(run.info.run_id, "result.json", folder)
            found.append(Result.read(Path(path)))
    return found


@contextmanager
def session() -> Iterator[Server]:
    """MLflow, for calls that belong together. Raises `Away` where it can't be reached, `BenchError` where it fails."""
    prepare()
    if remote():
        probe()
    with database.locked() if local() else nullcontext():
        try:
            from mlflow import MlflowClient

            if local():
                database.ready(_make, _newest)
            yield Server(MlflowClient(tracking_uri=uri()))
        except BenchError:
            raise
        except Exception as error:  # MLflow lets through whatever its database, its server or its disk raises
            raise _away(error) from error


def _away(error: Exception) -> BenchError:
    """An error of MLflow as one line; a damaged database is set aside."""
    line = " ".join(public(str(error)).strip().partition("\n")[0].split())[:200]
    text = f"MLflow at {public(uri())} failed: {type(error).__name__}: {line}"
    if local() and any(word in str(error) for word in ("malformed", "not a database")):
        database.set_aside(database.database(), "it is damaged")
        return Away(text)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    locked = isinstance(error, sqlite3.OperationalError)
    return Away(text) if full or locked or any(word in str(error) for word in AWAY) else BenchError(text)


def _make(path: Path) -> None:
    """Make a database, or bring one to the newest schema."""
    import mlflow.store.db.utils as tables
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # Its parent as the default address has it: a path that the address can hold.
    address = f"sqlite:///{Path(default().removeprefix('sqlite:///')).with_name(path.name)}"
    if path.exists():
        engine = tables.create_sqlalchemy_engine_with_retry(address)
        tables._upgrade_db(engine)
        engine.dispose()
    else:
        SqlAlchemyStore(address, database.artifacts(store().resolve())).engine.dispose()


def _newest() -> str:
    """The newest schema that the installed MLflow knows."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return _get_latest_schema_revision()


class Server:
    """MLflow by the few calls that the mirror makes."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def experiment(self, name: str, arrange: Callable[[Mapping[str, str]], Mapping[str, str]]) -> str:
        """The id of an experiment, made where there is none; ``arrange`` gives its tags by those that it has."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            root = f"{database.artifacts(store().resolve())}/{re.sub(r'[^A-Za-z0-9_.-]', '-', name)}"
            return self.client.create_experiment(
                name, artifact_location=root if local() else None, tags=dict(arrange({}))
            )
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        for key, value in arrange(found.tags).items():
            if found.tags.get(key) != value:
                self.client.set_experiment_tag(found.experiment_id, key, value)
        return found.experiment_id

    def experiments(self, tag: str) -> dict[str, tuple[str, dict[str, str]]]:
        """``{name: (id, tags)}`` of the experiments that have a tag."""
        found = self.client.search_experiments(filter_string=f"tags.`{tag}` != ''")
        return {one.name: (one.experiment_id, dict(one.tags)) for one in found}

    def find(self, filter_string: str, experiment: str | None = None) -> list[Run]:
        """Runs by their tags; an unfiltered search is slow."""
        known = [experiment] if experiment else [one.experiment_id for one in self.client.search_experiments()]
        runs: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs(known, filter_string, max_results=BATCH, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def create(self, experiment: str, name: str, start: float, tags: Mapping[str, str]) -> str:
        """Begin a run at ``start``, in seconds since the epoch, and return its id."""
        run = self.client.create_run(experiment, start_time=int(start * 1000), tags=dict(tags), run_name=name)
        return run.info.run_id

    def params(self, run_id: str, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        self.client.log_batch(run_id, params=[Param(name, value) for name, value in values.items()])

    def metrics(self, run_id: str, points: Iterable[CurvePoint]) -> None:
        """Points of curves, in batches. Points that are there already are passed over."""
        from mlflow.entities import Metric

        found = [Metric(point.name, point.value, int(point.time * 1000), point.step) for point in points]
        for first in range(0, len(found), BATCH):
            self.client.log_batch(run_id, metrics=found[first : first + BATCH])

    def tags(self, run_id: str, values: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in values.items()])

    def splits(self, run_id: str, track: str, fingerprint: str, source: str, images: Mapping[str, int]) -> None:
        """The splits of a track, as the data sets of a run."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(f"{track} {split}", fingerprint[:36], "local", source, profile=json.dumps({"images": count})),
                [InputTag("mlflow.data.context", split)],
            )
            for split, count in images.items()
        ]
        self.client.log_inputs(run_id, inputs)

    def files(self, run_id: str, folder: Path, paths: Iterable[Path]) -> None:
        """Files of a folder, in one call, for each takes several queries."""
        with tempfile.TemporaryDirectory() as links:
            for path in paths:
                link = Path(links) / path.relative_to(folder)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.absolute())
            self.client.log_artifacts(run_id, links)

    def pictures(self, run_id: str, shown: Iterable[tuple[str, int, Path]], *, fresh: bool = False) -> None:
        """Pictures ``(key, step, path)`` in the form that the dashboard shows among the charts, side by side for
        several runs. Those that are there already are passed over; a ``fresh`` run has none. So are those whose file
        is gone: a training that ends moves its pictures.
        """
        from PIL import Image

        known = set() if fresh else {(key, step) for key, step, _ in self.images(run_id)}
        sheets = {}
        for key, step, path in shown:
            if (key, step) in known:
                continue
            with suppress(FileNotFoundError), Image.open(path) as picture:
                sheets[key, step] = views.folded(picture.copy())  # the file is closed below
            if (key, step) in sheets:
                self.client.log_image(run_id, sheets[key, step], key=key, step=step)
        with tempfile.TemporaryDirectory() as folder:
            for key, step, name in self.images(run_id) if sheets else ():
                if "compressed" in name and (key, step) in sheets:  # MLflow's own preview is too small to see an error
                    views.preview(sheets[key, step]).save(Path(folder) / name, method=0)  # quick, a tenth larger
            if sheets:
                self.client.log_artifacts(run_id, folder, IMAGES)

    def images(self, run_id: str) -> list[tuple[str, int, str]]:
        """The files of pictures among the charts, by their keys and steps."""
        names = [Path(file.path).name for file in self.client.list_artifacts(run_id, IMAGES)]
        found = [(name, PICTURE.match(name)) for name in names]
        return [(re.sub("[~#]", "/", match[1]), int(match[2]), name) for name, match in found if match]

    def table(self, run_id: str, values: dict[str, Any], name: str) -> None:
        self.client.log_dict(run_id, values, name)

    def has_files(self, run_id: str) -> bool:
        return bool(self.client.list_artifacts(run_id))

    def end(self, run_id: str, status: str, time: float) -> None:
        self.client.set_terminated(run_id, status, int(time * 1000))

    def delete(self, run: Run) -> None:
        self.client.delete_run(run.info.run_id)
        folder = Path(unquote(urlsplit(run.info.artifact_uri).path))
        if local() and folder.is_relative_to(store().resolve() / "artifacts"):
            shutil.rmtree(folder.parent, ignore_errors=True)  # MLflow would keep the files of what it calls deleted
