"""Where runs are tracked: the address of MLflow and its settings, found without importing it."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
from pathlib import Path

from bench.errors import BenchError
from bench.places import store

MARKER = "tracked.json"  # in a run directory: where it was logged

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default a server that is away costs minutes per call
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # SQLite connections must not be carried across a fork
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # background workers that only language models need
}


def available() -> bool:
    """Whether MLflow is installed, and not switched off by ``BENCH_TRACKING=off``; does not import it."""
    return os.environ.get("BENCH_TRACKING", "") != "off" and importlib.util.find_spec("mlflow") is not None


def uri() -> str:
    """Where runs are tracked."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default()


def tracked(run_dir: Path) -> bool:
    """Whether the run directory says that it was logged to the present URI; does not import MLflow."""
    try:
        marker = json.loads((run_dir / MARKER).read_text(encoding="utf-8"))
        logged_to = marker["uri"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return logged_to == public(uri()) and (uri() != default() or database().exists())


def prepare() -> None:
    """Set up what MLflow reads when it is imported. Raises `BenchError` where it is missing or switched off."""
    if os.environ.get("BENCH_TRACKING", "") == "off":
        raise BenchError("MLflow is switched off: BENCH_TRACKING=off. Unset it.")
    if not available():
        raise BenchError("MLflow is not installed: pip install 'reconbench[tracking]'.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def remote() -> bool:
    """Whether a server tracks the runs."""
    return not uri().startswith(("sqlite:", "file:", "/"))


def public(address: str) -> str:
    """Without user and password."""
    return re.sub(r"//[^/@\s]*@", "//", address)


def database() -> Path:
    return store() / "mlflow.db"


def default() -> str:
    return f"sqlite:///{database()}"
