"""A run directory in MLflow: one run, its trials below it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.evaluation.curves import LOOKS_FOLDER, CurvePoint, Look
from bench.places import runs
from bench.runs.records import Result
from bench.runs.run_directory import SENSITIVITY_MAP, STRESS_PICTURE
from bench.tracking import database, fields, views
from bench.tracking.address import local, public, uri

if TYPE_CHECKING:
    from bench.tracking.mlflow import Server

MARKER = "tracked.json"  # in a run directory: where it was logged
TABLE = "per_image.json"  # the only layout of a table that the dashboard shows as one is pandas' "split" JSON


def log(server: Server, result: Result, run_dir: Path, digest: str, comparison: str = "") -> str:
    """See to it that MLflow holds just this result once, and return the id of its run."""
    shown = [(key, step) for key, step, _ in pictures(run_dir)]
    experiment = server.experiment(views.experiment(result), lambda tags: views.tags(result, shown, tags))
    run_id, fresh = "", False
    for run in server.find(f"tags.`bench.key` = '{result.key}'", experiment):
        if run.data.tags.get("bench.digest") == digest and server.has_files(run.info.run_id):
            return run.info.run_id
        if not run_id and run.data.tags.get("bench.live") == "true":
            run_id = run.info.run_id
        else:
            server.delete(run)
    known = server.find(f"tags.`bench.trial_of` = '{result.key}'", experiment)
    for run in known:
        if run.data.tags.get("mlflow.parentRunId") != run_id:
            server.delete(run)
    trials = fields.trials(run_dir)
    end = datetime.fromisoformat(result.date).timestamp()
    start = end - result.seconds
    if run_id:
        # From here on it is replaced by the next call, should this one be cut short.
        server.tags(run_id, {"bench.live": "false", **tags(result, comparison)})
        trials = trials[sum(run.data.tags.get("mlflow.parentRunId") == run_id for run in known) :]
    else:
        run_id, fresh = server.create(experiment, title(result), start, tags(result, comparison)), True
    fill(server, run_id, result, run_dir, end, fresh=fresh)
    log_trials(server, experiment, run_id, result.key, start, trials)
    server.end(run_id, "FAILED" if result.status == "failed" else "FINISHED", end)
    # Last of all: a run without them was cut short and is replaced.
    server.tags(run_id, {"bench.digest": digest, "bench.logged": "true"})
    return run_id


def fill(server: Server, run_id: str, result: Result, run_dir: Path, end: float, *, fresh: bool) -> None:
    server.params(run_id, fields.parameters(result))
    numbers = fields.numbers(result) | fields.later(run_dir)
    scores = [CurvePoint(name, 0, end, value) for name, value in numbers.items()]
    server.metrics(run_id, [*scores, *map(fields.shown, fields.curves(run_dir))])
    fingerprint, images = fields.splits(result, run_dir)
    track = f"{result.task}:{result.track}"
    source = json.dumps({"track": track, "version": result.task_version})
    server.splits(run_id, track, fingerprint, source, images)
    files = [path for path in sorted(run_dir.rglob("*")) if path.is_file() and path.name != MARKER]
    server.files(run_id, run_dir, [path for path in files if not path.is_relative_to(run_dir / LOOKS_FOLDER)])
    server.pictures(run_id, pictures(run_dir), fresh=fresh)
    if result.per_image:
        server.table(run_id, fields.per_image(result), TABLE)


def key(section: str, name: str) -> str:
    """The name of a picture among the charts, of characters that MLflow takes."""
    return f"{section}/" + re.sub(r"[^\w\-. ]", "_", name, flags=re.ASCII)


def pictures(run_dir: Path) -> list[tuple[str, int, Path]]:
    """The pictures of a run directory by their keys and steps."""
    found = [(key(views.PICTURES, path.stem), 0, path) for path in sorted((run_dir / "pictures").glob("*.png"))]
    if (picture := run_dir / SENSITIVITY_MAP).exists():
        found.append((key(views.PICTURES, picture.stem), 0, picture))
    for path in sorted(run_dir.glob(STRESS_PICTURE.format("*"))):
        found.append((key(views.SHIFTS, path.stem.partition("-")[2]), 0, path))
    return found + looks(map(Look, sorted((run_dir / LOOKS_FOLDER).glob("*/*.png"))))


def looks(found: Iterable[Look]) -> list[tuple[str, int, Path]]:
    """Pictures of a training by their keys and steps."""
    return [(key(views.VALIDATION, look.name), look.step, look.path) for look in found]


def log_trials(
    server: Server, experiment: str, parent: str, key: str, start: float, trials: Sequence[Mapping[str, Any]]
) -> None:
    for trial in trials:
        tags = {"mlflow.parentRunId": parent, "bench.trial_of": key, "bench.kind": "trial"}
        run_id = server.create(
            experiment, f"trial {trial['number']}", start, tags | {"reason": trial.get("reason") or ""}
        )
        start += trial["seconds"]
        numbers = {"score": trial["score"], "seconds": trial["seconds"]}
        server.metrics(run_id, [CurvePoint(name, 0, start, v) for name, v in numbers.items() if v is not None])
        server.params(run_id, fields.shortened(trial["hyperparameters"]))
        server.end(run_id, "FINISHED" if trial["state"] == "ok" else "FAILED", start)


def title(result: Result) -> str:
    return f"{result.name} {result.track} seed {result.seed}"


def tags(result: Result, comparison: str = "") -> dict[str, str]:
    own = {
        "bench.key": result.key,
        "bench.group": result.group,
        "bench.kind": "run",
        "bench.format": str(result.format),
        "mlflow.source.name": result.command,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": result.commit,
        "mlflow.note.content": fields.description(result),
    }
    if comparison:
        own["mlflow.parentRunId"] = comparison
    if result.per_image:
        own["mlflow.loggedArtifacts"] = json.dumps([{"path": TABLE, "type": "table"}])
    return own | fields.tags(result)


def mark(run_dir: Path, digest: str, run_id: str) -> None:
    """Note in a run directory where it was logged, and which result."""
    marker = {"uri": public(uri()), "run_id": run_id, "digest": digest}
    (run_dir / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")


def read_mark(run_dir: Path) -> dict[str, str]:
    try:
        marker = json.loads((run_dir / MARKER).read_text(encoding="utf-8"))
        return marker if isinstance(marker, dict) and marker.get("uri") == public(uri()) else {}
    except (OSError, ValueError):
        return {}


def tracked(run_dir: Path) -> bool:
    """Whether MLflow holds the result of a run directory: by the store's database, or by what a server once took."""
    digest = fields.digest(run_dir)
    if local():
        return database.held().get(run_dir.name) == digest
    return read_mark(run_dir).get("digest") == digest


def untracked() -> list[Path]:
    """The run directories of the store that MLflow lacks."""
    return [path.parent for path in sorted(runs().glob("[0-9a-f]*/result.json")) if not tracked(path.parent)]
