"""The front page of `bench ui`: the tracks, in place of MLflow's page for language models.

`mlflow server --app-name reconbench` serves the `app` of this module: MLflow's own, with two changes. Its root leads to
`/tracks`, and it shows trainings, with all the room for them, unless a visitor has chosen otherwise.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from flask import Response, request
from mlflow.server import app as flask
from mlflow.server.fastapi_app import app

from bench.errors import BenchError
from bench.tracking import dashboard

__all__ = ["app"]

SETTINGS = {  # that a browser keeps for the dashboard, as JSON
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,  # a panel for chats that hides a quarter of the page
}
SCRIPT = f"""<script>
for (const [name, value] of Object.entries({json.dumps(SETTINGS)}))
  localStorage.getItem(name) || localStorage.setItem(name, JSON.stringify(value));
if (location.hash.length < 3) location.replace("/tracks");
</script>"""
STYLE = "body{font:16px sans-serif;margin:3em} td{padding:.3em 2em .3em 0} a{color:#0e538b}"


@flask.before_request
def front() -> Response | None:
    if request.path == "/tracks":
        return page(tracks())
    index = Path(flask.static_folder or "") / "index.html"
    if request.path == "/" and index.exists():
        return page(index.read_text(encoding="utf-8").replace("<head>", "<head>" + SCRIPT, 1))
    return None


def page(text: str) -> Response:
    return Response(text, mimetype="text/html", headers={"Cache-Control": "no-store"})


def tracks() -> str:
    """A line for every track, with links to the pages that show its runs."""
    try:
        found = dashboard.pages()
        remark = "" if found else "No runs yet: <code>bench run</code> makes some."
    except BenchError as error:
        found, remark = {}, escape(str(error))
    rows = [
        f"<tr><td>{escape(track)}</td>"
        + "".join(f'<td><a href="{escape(address)}">{title}</a></td>' for title, address in links.items())
        for track, links in found.items()
    ]
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>reconbench</title><style>{STYLE}</style>'
    return f"{head}</head><body><h1>reconbench</h1><p>{remark}</p><table>{''.join(rows)}</table></body></html>"
