"""A store for every test, with a copy of a database that is made once, for that takes seconds."""

import json
import shutil

import pytest

from bench.tracking import database
from bench.tracking import mlflow as tracking

if not tracking.available():
    pytest.skip("needs MLflow", allow_module_level=True)
tracking.prepare()

# Third parties' affairs, none of which one can act upon here.
IGNORED = ("DeprecationWarning", "FutureWarning", "ResourceWarning", "pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items):
    for item in items:
        for name in IGNORED:
            item.add_marker(pytest.mark.filterwarnings(f"ignore::{name}"))


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A new database."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_STORE", str(folder))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with tracking.session():
            pass
    return folder / "mlflow.db"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A store that does not exist yet."""
    monkeypatch.setenv("BENCH_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    database._looked_at.clear()
    return tmp_path / "store"


@pytest.fixture
def store(empty, template):
    """A store with a database."""
    empty.mkdir()
    shutil.copy(template, empty / "mlflow.db")
    return empty


@pytest.fixture
def remade(template, monkeypatch):
    """New databases are made from the template from here on."""
    make = tracking._make
    monkeypatch.setattr(tracking, "_make", lambda path: make(path) if path.exists() else shutil.copy(template, path))


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    with tracking.session():
        return MlflowClient(tracking_uri=tracking.uri())


@pytest.fixture
def runs_of(client):
    """All runs that a filter names."""

    def find(filter_string):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, filter_string))

    return find


@pytest.fixture
def header():
    """The header of a journal; ``changes`` replace any field."""

    def make(key="a" * 12, **changes):
        values = {"key": key, "group": "b" * 12, "track": "denoising:mini", "limit": None, "method": "tv"}
        values |= {"family": "handcrafted", "seed": 0, "command": "bench run denoising -m tv", "commit": "c" * 40}
        return json.loads(json.dumps(values | {"start": 1_770_000_000.0, "comparison": None} | changes))

    return make
