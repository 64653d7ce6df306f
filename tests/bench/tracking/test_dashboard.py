"""`bench ui`: its command, its links, and one line where a port is used."""

import json
import os
import re
import select
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fabricate import result, run_directory

from bench.cli import main
from bench.errors import BenchError
from bench.tracking import announce, dashboard, views
from bench.tracking import mlflow as tracking


def test_a_used_port_is_one_line_and_status_2(store, capsys):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        assert main(["ui", "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (f"bench: cannot serve on 127.0.0.1:{port}: Address already in use. Give another --port or --host.\n")


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 5000), ("127.0.0.1", 70000), ("192.0.2.1", 5000)])
def test_a_host_or_a_port_that_does_not_exist_is_one_line(store, host, port):
    with pytest.raises(BenchError, match=re.escape(f"cannot serve on {host}:{port}: ")):
        dashboard.command(host, port)


def test_a_server_is_named_without_its_password(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    with pytest.raises(BenchError, match=r"the server http://127\.0\.0\.1:9: open it in a browser"):
        dashboard.command("127.0.0.1", 5000)


def test_the_dashboard_has_a_link_for_every_track(store):
    for changes in ({"track": "mini"}, {"track": "real"}, {"track": "mini", "limit": 6}):
        tracking.log(run_directory(store / "runs", result(f"tv{len(changes)}", **changes), steps=2))
    links = dashboard.links("127.0.0.1", 5000)
    assert list(links) == ["denoising:mini", "denoising:mini, part of the test set", "denoising:real"]
    with tracking.session() as server:
        number, tags = server.experiments(views.VIEW)["denoising:real"]
    assert links["denoising:real"].startswith(f"http://127.0.0.1:5000/#/experiments/{number}/runs?")
    assert json.loads(tags[views.VIEW])["selectedColumns"][:6] == [
        "params.`method`",
        "metrics.`psnr`",
        "tags.`interval`",
        "params.`seed`",
        "metrics.`seconds`",
        "tags.`device`",
    ]
    assert f"sqlite:///{store}/mlflow.db" in dashboard.command("127.0.0.1", 5057)


@pytest.mark.parametrize(
    ("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("::1", "[::1]"), ("box.example", "box.example")]
)
def test_links_can_be_opened(store, host, shown):
    tracking.log(run_directory(store / "runs", result("tv"), steps=2))
    assert dashboard.links(host, 5001)["denoising:mini"].startswith(f"http://{shown}:5001/#/")


# `bench ui` whose server is `words`, without the imports of MLflow
UI = """
import sys
from bench.cli import main
from bench.tracking import dashboard, tracker
dashboard.command = lambda host, port: {words!r}
dashboard.links = lambda host, port: {{"toy:mini": "its page"}}
tracker.settle = lambda report: None
sys.exit(main(["ui", "--port", "{port}"]))
"""
SERVER = """
import http.server, os, time
while not os.path.exists({gate!r}): time.sleep(0.05)
http.server.HTTPServer(("127.0.0.1", {port}), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def ui(store, port):
    """Starts `bench ui` with a server of this code."""
    started = []

    def start(server: str) -> subprocess.Popen[str]:
        code = UI.format(words=[sys.executable, "-c", server], port=port)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", code], **pipes))
        return started[-1]

    yield start
    for command in started:
        command.kill()
        command.communicate()


def speaks(pipe, seconds: float) -> bool:
    """Whether something comes from a process in time."""
    return bool(select.select([pipe], [], [], seconds)[0])


@pytest.fixture
def port() -> int:
    """A free one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_address_is_printed_when_the_server_answers(ui, tmp_path, port):
    command = ui(SERVER.format(gate=str(tmp_path / "gate"), port=port))
    assert speaks(command.stderr, 20.0)
    assert command.stderr.readline().startswith("bench: starting the MLflow dashboard")
    assert not speaks(command.stdout, 1.5)
    (tmp_path / "gate").touch()
    assert command.stdout.readline() == f"MLflow dashboard at http://127.0.0.1:{port} (Ctrl-C ends it)\n"
    with socket.create_connection(("127.0.0.1", port)):
        pass
    assert command.stdout.readline() == "  toy:mini  its page\n"
    command.terminate()
    assert command.communicate()[0] == ""


def test_a_server_that_ends_before_it_answers_ends_the_command_as_it_did_itself(ui):
    command = ui("import sys, time; time.sleep(1); print('no database', file=sys.stderr); sys.exit(3)")
    out, err = command.communicate(timeout=30)
    assert (command.returncode, out) == (3, "")
    assert err.splitlines()[1:] == ["no database"]


def test_the_address_of_a_server_that_never_answers_has_a_remark(monkeypatch, capsys, port):
    monkeypatch.setattr(announce, "PATIENCE", 1.0)
    announce.announce(os.getppid(), f"http://127.0.0.1:{port}", "the address")
    assert capsys.readouterr().out == "the address\nIt has not answered for 1 s.\n"


FRONT = """
from flask.wrappers import Response
from bench.tracking.front import app, flask
client = flask.test_client()
for place in ("/", "/tracks", "/static-files/static/js/none.js"):
    answer = client.get(place)
    print(answer.status_code, answer.headers.get("Cache-Control"), answer.get_data(as_text=True))
    print("=====")
"""


def test_the_front_page_lists_the_tracks_and_the_dashboard_shows_trainings(store):
    for changes in ({"track": "mini"}, {"track": "real"}):
        tracking.log(run_directory(store / "runs", result(**changes), steps=2))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FRONT], capture_output=True, text=True, check=True)
    root, tracks, other, _ = done.stdout.split("=====\n")
    assert root.startswith("200 no-store <!doctype html>")
    assert re.search(
        r'<head><script>.*?"mlflow.workflowType_v1": "machine_learning".*?"/tracks".*?</script>', root, re.DOTALL
    )
    assert '<div id="root"' in root
    assert tracks.startswith("200 no-store <!doctype html>")
    with tracking.session() as server:
        found = server.experiments(views.VIEW)
    for name in ("denoising:mini", "denoising:real"):
        for shown in (
            "=bench",
            "=bench-methods",
            "=bench&amp;compareRunsMode=CHART",
            "=bench&amp;compareRunsMode=ARTIFACT",
        ):
            place = f"/#/experiments/{found[name][0]}/runs?workflowType=machine_learning&amp;viewStateShareKey{shown}"
            assert f"<td>{name}</td>" in tracks
            assert f'href="{place}"' in tracks
    assert other.startswith("404 ")


@pytest.mark.parametrize("known", [True, False])
def test_the_front_page_is_served_where_it_is_installed(store, monkeypatch, known):
    monkeypatch.setattr(dashboard, "entry_points", lambda **names: [names] if known else [])
    words = dashboard.command("127.0.0.1", 5057)
    assert ("--app-name" in words) == known


def test_the_front_page_is_declared():
    """`bench ui` finds it by the entry point of the project."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["mlflow.app"] == {dashboard.APP: "bench.tracking.front:app"}
