"""What the server of processes imports once for all of them. None of it may touch CUDA (a test holds that)."""

from contextlib import suppress

import optuna  # noqa: F401

import bench.runs.run  # noqa: F401
from bench.tracking import mlflow as tracking

with suppress(Exception):  # a run without MLflow is a run
    tracking.preload()
