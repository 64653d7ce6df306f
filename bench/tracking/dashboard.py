"""The MLflow dashboard on this store: the command that serves it, and links that open it on the runs."""

import sys

from bench.errors import BenchError
from bench.places import store
from bench.tracking import mlflow as tracking


def command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard.

    Raises `BenchError` where MLflow is missing, and where a server already is what runs are tracked by.
    """
    tracking.prepare()
    if tracking.remote():
        raise BenchError(f"runs are tracked by the server {tracking.public(tracking.uri())}: open it in a browser.")
    places = ["--backend-store-uri", tracking.uri(), "--default-artifact-root", str(store() / "artifacts")]
    return [sys.executable, "-m", "mlflow", "server", *places, "--host", host, "--port", str(port), "--workers", "1"]


def links(host: str, port: int) -> dict[str, str]:
    """``{task: address}`` of every task's runs as a table, best first: MLflow's front page is for language models."""
    view = "workflowType=machine_learning&viewStateShareKey=bench"
    experiments = sorted(tracking.experiments().items())
    return {task: f"http://{host}:{port}/#/experiments/{number}/runs?{view}" for task, number in experiments}
