"""The MLflow dashboard on this store: the command that serves it, and the addresses of its pages."""

import socket
import sys
from importlib.metadata import entry_points

from bench.errors import BenchError
from bench.places import store
from bench.tracking import address, database, views
from bench.tracking import mlflow as tracking

APP = "reconbench"  # `bench.tracking.front` by its entry point


def command(host: str, port: int) -> list[str]:
    """The command that serves the dashboard.

    Raises `BenchError` where MLflow is missing, where a server already is what runs are tracked by, and where the host
    or the port can't be listened on.
    """
    address.prepare()
    if address.remote():
        raise BenchError(f"runs are tracked by the server {address.public(address.uri())}: open it in a browser.")
    check_free(host, port)
    options = ["--backend-store-uri", address.uri(), "--default-artifact-root", database.artifacts(store().resolve())]
    words = [sys.executable, "-m", "mlflow", "server", *options, "--host", host, "--port", str(port), "--workers", "1"]
    # An environment that was installed before there was a front page shows MLflow's.
    return [*words, "--app-name", APP] if entry_points(group="mlflow.app", name=APP) else words


def check_free(host: str, port: int) -> None:
    """Raise `BenchError` where nothing can listen on a port of a host."""
    if not 0 < port < 65536:
        raise BenchError(f"cannot serve on {host}:{port}: a port is a number from 1 to 65535. Give another --port.")
    try:
        (family, kind, protocol, _, found), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port left a moment ago is free
            probe.bind(found)
    except OSError as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BenchError(f"cannot serve on {host}:{port}: {reason}. Give another --port or --host.") from None


def links(host: str, port: int) -> dict[str, str]:
    """``{track: address}`` of its runs as a table, best first."""
    return {track: address_of(host, port) + found["runs, best first"] for track, found in pages().items()}


def address_of(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)
    return f"http://{shown}:{port}"


def pages() -> dict[str, dict[str, str]]:
    """``{track: {title: address on the server}}`` of the pages that show its runs."""
    with tracking.session() as server:
        found = server.experiments(views.VIEW)
    return {name: pages_of(found[name][0]) for name in sorted(found)}


def pages_of(experiment: str) -> dict[str, str]:
    start = f"/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey="
    return {
        "runs, best first": start + views.RUNS,
        "methods, seeds averaged": start + views.METHODS,
        "curves and pictures": f"{start}{views.RUNS}&compareRunsMode=CHART",
        "scores of every image": f"{start}{views.RUNS}&compareRunsMode=ARTIFACT",
    }
