"""The MLflow dashboard on this store: the command that serves it, and links that open it on the runs."""

import socket
import sys

from bench.errors import BenchError
from bench.places import store
from bench.tracking import address, database, views
from bench.tracking import mlflow as tracking


def command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard.

    Raises `BenchError` where MLflow is missing, where a server already is what runs are tracked by, and where the host
    or the port can't be listened on.
    """
    address.prepare()
    if address.remote():
        raise BenchError(f"runs are tracked by the server {address.public(address.uri())}: open it in a browser.")
    check_free(host, port)
    places = ["--backend-store-uri", address.uri(), "--default-artifact-root", database.artifacts(store().resolve())]
    return [sys.executable, "-m", "mlflow", "server", *places, "--host", host, "--port", str(port), "--workers", "1"]


def check_free(host: str, port: int) -> None:
    """Raise `BenchError` where nothing can listen on a port of a host."""
    if not 0 < port < 65536:
        raise BenchError(f"cannot serve on {host}:{port}: a port is a number from 1 to 65535. Give another --port.")
    try:
        (family, kind, protocol, _, place), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port left a moment ago is free
            probe.bind(place)
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BenchError(f"cannot serve on {host}:{port}: {reason}. Give another --port or --host.") from None


def links(host: str, port: int) -> dict[str, str]:
    """``{track: address}`` of its runs as a table, best first: MLflow's front page is for language models."""
    with tracking.session() as server:
        found = server.experiments(views.VIEW)
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)
    query = "workflowType=machine_learning&viewStateShareKey=bench"
    return {name: f"http://{shown}:{port}/#/experiments/{found[name][0]}/runs?{query}" for name in sorted(found)}
