"""Where runs are tracked: the address of MLflow and its settings, found without importing it."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from bench.errors import BenchError
from bench.places import store
from bench.settings import switch

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # its tracebacks of a locked database; `Away` reports errors
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # a line for every run and trial
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds; by default a server that hangs costs minutes per call
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # SQLite connections must not be carried across a fork
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # background workers that only language models need
}
PROBE = 3.0  # seconds in which a server must answer at all
MISREAD = "%?"  # characters that the address of a database gives another meaning


class Away(BenchError):
    """MLflow can't be reached now: its server does not answer, its database is locked, its disk is full."""


def available() -> bool:
    """Whether MLflow is installed, and not switched off by ``BENCH_TRACKING=off``; does not import it.

    Raises `BenchError` where that variable has another value.
    """
    return not switched_off() and importlib.util.find_spec("mlflow") is not None


def switched_off() -> bool:
    return not switch("BENCH_TRACKING", True)


def uri() -> str:
    """Where runs are tracked."""
    return os.environ.get("MLFLOW_TRACKING_URI") or default()


def prepare() -> None:
    """Set up what MLflow reads when it is imported. Raises `BenchError` where it is missing or switched off."""
    if switched_off():
        raise BenchError("MLflow is switched off: BENCH_TRACKING=off. Unset it.")
    if not available():
        raise BenchError("MLflow is not installed: pip install 'reconbench[tracking]'.")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def local() -> bool:
    """Whether runs are tracked in the database of the store."""
    return not os.environ.get("MLFLOW_TRACKING_URI") or uri() == default()


def remote() -> bool:
    """Whether a server tracks the runs."""
    return not local() and not uri().startswith(("sqlite:", "file:", "/"))


def probe() -> None:
    """Raise `Away` where a server does not answer within seconds. Any answer will do."""
    if not uri().startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(public(uri()).rstrip("/") + "/health", timeout=PROBE).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Away(f"MLflow at {public(uri())} does not answer: {reason}") from None


def public(address: str) -> str:
    """Without user and password."""
    return re.sub(r"//[^/@\s]*@", "//", address)


def database() -> Path:
    return store() / "mlflow.db"


def default() -> str:
    return f"sqlite:///{plainly(database())}"


def plainly(path: Path) -> Path:
    """The path as it can stand in the address of a database: through a link where a character would be misread."""
    if not any(character in str(path.parent) for character in MISREAD):
        return path
    name = hashlib.sha256(str(path.parent).encode()).hexdigest()[:16]
    link = Path(tempfile.gettempdir()) / f"bench-{os.getuid()}-{name}"
    try:
        if not link.is_symlink():
            link.symlink_to(path.parent)
    except FileExistsError:  # another process was faster
        pass
    except OSError as error:
        raise BenchError(f"cannot link {link} to {path.parent}: {error.strerror}. Set BENCH_STORE elsewhere.") from None
    if link.lstat().st_uid != os.getuid() or Path(os.readlink(link)) != path.parent:
        raise BenchError(f"{link} is another's: set BENCH_STORE to a folder without {MISREAD[0]} and {MISREAD[1]}.")
    return link / path.name
