"""Runs at work in MLflow: they appear when they start, grow, and end as finished, failed or killed.

Above them stands the comparison, one run for each command and track. `Follower.look` brings MLflow up to the journals
of the store; it is called again and again, and may fail: what was missed is handed in by a later call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contract import registry
from bench.errors import BenchError
from bench.evaluation.curves import CurvePoint, Look
from bench.places import runs, store
from bench.runs.records import Result
from bench.runs.store import held
from bench.tracking import fields, journal, mirror, views
from bench.tracking.mlflow import Away, Server, log, session

LIVE = "attributes.status = 'RUNNING' and tags.`bench.live` = 'true'"


@dataclass
class Followed:
    """What MLflow has of a journal."""

    path: Path
    offset: int = 0
    header: dict[str, Any] = field(default_factory=dict)
    experiment: str = ""
    run_id: str = ""
    trials: int = 0
    ended: str | None = None  # why, or "" for a run directory
    gone: int = 0  # looks at which nobody worked on it


class Follower:
    """Hands the journals of a store to MLflow."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.report = report
        self.followed: dict[Path, Followed] = {}
        self.comparisons: dict[tuple[str, str], str] = {}  # (id, experiment) -> MLflow run
        self.tidy = False

    def look(self) -> bool:
        """Bring MLflow up to the journals; whether anything was handed in. Raises `Away` where it can't be reached."""
        if not self.tidy:
            self.close_left_over()
            self.tidy = True
        busy = False
        for path in journal.journals():
            one = self.followed.setdefault(path, Followed(path))
            try:
                busy |= self.follow(one)
            except Away:
                raise
            except BenchError as error:
                self.report(f"not tracked: {error}")
                self.forget(one)
            except FileNotFoundError:  # another tracker was faster
                self.followed.pop(path, None)
        busy |= self.close_comparisons()
        return busy

    def follow(self, one: Followed) -> bool:
        lines, offset = journal.read(one.path, one.offset)
        points: list[CurvePoint] = []
        trials: list[dict[str, Any]] = []
        looks: list[Look] = []
        for line in lines:
            if "header" in line and line["header"] != one.header:
                one.header, one.run_id, one.trials, one.ended = line["header"], "", 0, None
                points, trials, looks = [], [], []
            points += [CurvePoint(name, int(step), at, value) for name, step, at, value in line.get("points", ())]
            trials += line.get("trials", ())
            looks += [Look(Path(path)) for path in line.get("looks", ())]
            one.ended = line.get("ended", one.ended)
        one.gone = 0 if one.ended is not None or journal.alive(one.path) else one.gone + 1
        if one.ended is not None or one.gone > 1:
            self.end(one)
            return True
        if one.header and (not one.run_id or points or trials or looks):
            with session() as server:
                if not one.run_id:
                    self.start(server, one)
                if points:
                    server.metrics(one.run_id, map(fields.shown, points))
                if trials:
                    start = time.time() - sum(trial["seconds"] for trial in trials)
                    fresh = trials[max(0, one.trials - trials[0]["number"]) :]
                    mirror.log_trials(server, one.experiment, one.run_id, one.header["key"], start, fresh)
                    one.trials += len(fresh)
                if looks:
                    server.pictures(one.run_id, mirror.looks(looks))
        one.offset = offset
        return bool(lines)

    def start(self, server: Server, one: Followed) -> None:
        """Begin the MLflow run of a journal, or go on with the one that another tracker has begun."""
        header = one.header
        one.experiment = self.experiment(server, header)
        for run in server.find(f"tags.`bench.key` = '{header['key']}'", one.experiment):
            tags = run.data.tags
            if tags.get("bench.live") == "true" and tags.get("bench.start") == str(header["start"]):
                one.run_id = run.info.run_id
                of_it = f"tags.`bench.trial_of` = '{header['key']}'"
                one.trials = len(server.find(of_it, one.experiment))
            elif tags.get("bench.logged") != "true":
                server.delete(run)
        if one.run_id:
            return
        task, _, track = header["track"].partition(":")
        tags = {
            "bench.key": header["key"],
            "bench.group": header["group"],
            "bench.kind": "run",
            "bench.live": "true",
            "bench.start": str(header["start"]),
            "mlflow.source.name": header["command"],
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": header["commit"],
            "family": header["family"],
            "task": task,
            "track": track,
        }
        if parent := self.comparison(server, one.experiment, header["comparison"]):
            tags["mlflow.parentRunId"] = parent
        name = f"{header['method']} {track} seed {header['seed']}"
        one.run_id = server.create(one.experiment, name, header["start"], tags)
        server.params(one.run_id, fields.shortened({"method": header["method"], "seed": header["seed"]}))

    @staticmethod
    def experiment(server: Server, header: dict[str, Any]) -> str:
        """The experiment of a track; a finished run knows more of its pictures, so that an arranged one is left."""
        name = views.name(header["track"], header["limit"])
        return server.experiment(name, lambda tags: {} if views.VIEW in tags else experiment_tags(header))

    def comparison(self, server: Server, experiment: str, given: dict[str, Any] | None) -> str:
        """The MLflow run above the runs of a command on a track; "" for a run of no command."""
        if not given:
            return ""
        known = self.comparisons.get((given["id"], experiment))
        if known is None:
            found = server.find(f"tags.`bench.comparison` = '{given['id']}'", experiment)
            if found:
                known = found[0].info.run_id
            else:
                tags = {"bench.comparison": given["id"], "bench.kind": "comparison", "bench.live": "true"}
                tags |= {"mlflow.source.name": given["command"], "mlflow.source.type": "LOCAL"}
                known = server.create(experiment, given["command"][:200], given["start"], tags)
            self.comparisons[given["id"], experiment] = known
        return known

    def end(self, one: Followed) -> None:
        """End a run: with the run directory that it has left, else as failed or killed."""
        run_dir = runs() / one.path.stem
        given = one.header.get("comparison")
        if written_since(run_dir, one.header.get("start", 0.0)):
            comparison = ""
            if given and one.header:
                with session() as server:
                    comparison = self.comparison(server, self.experiment(server, one.header), given)
            log(run_dir, comparison)
        elif one.header:
            with session() as server:
                if not one.run_id:
                    self.start(server, one)
                reason = one.ended or "it was stopped"
                server.tags(one.run_id, {"reason": reason[:500], "bench.live": "false"})
                server.end(one.run_id, "KILLED" if one.ended is None else "FAILED", time.time())
        self.forget(one)

    def forget(self, one: Followed) -> None:
        self.followed.pop(one.path, None)
        one.path.unlink(missing_ok=True)
        claim = one.path.with_suffix(journal.RUNS)
        if not held(claim):
            claim.unlink(missing_ok=True)

    def close_comparisons(self) -> bool:
        """End the comparisons of commands that have ended, when their runs have."""
        waited_for = {(one.header.get("comparison") or {}).get("id") for one in self.followed.values()}
        closed = False
        for (token, experiment), run_id in list(self.comparisons.items()):
            claim = journal.folder() / f"{token}{journal.COMMANDS}"
            if token in waited_for or held(claim):
                continue
            with session() as server:
                server.tags(run_id, {"bench.live": "false"})
                server.end(run_id, "KILLED" if claim.exists() else "FINISHED", time.time())
            del self.comparisons[token, experiment]
            closed = True
        return closed

    def close_left_over(self) -> None:
        """End what a command that was killed has left as running."""
        for claim in journal.folder().glob(f"*{journal.RUNS}"):
            if not held(claim) and not claim.with_suffix(journal.LINES).exists():
                claim.unlink(missing_ok=True)
        with session() as server:
            for run in server.find(LIVE):
                tags = run.data.tags
                claim = journal.folder() / f"{tags.get('bench.comparison')}{journal.COMMANDS}"
                key = tags.get("bench.key", "")
                if held(claim) or (key and (journal.path_of(key).exists() or held(store() / "claims" / key))):
                    continue
                server.tags(run.info.run_id, {"bench.live": "false"})
                server.end(run.info.run_id, "KILLED", time.time())
                claim.unlink(missing_ok=True)


def written_since(run_dir: Path, start: float) -> bool:
    """Whether a run directory holds a result that was written after ``start``."""
    try:
        return (run_dir / "result.json").stat().st_mtime >= start and bool(Result.read(run_dir / "result.json"))
    except (OSError, BenchError):
        return False


def experiment_tags(header: dict[str, Any]) -> dict[str, str]:
    """The columns of a track's experiment, by the metrics that the track declares."""
    with suppress(BenchError, AttributeError):
        track = registry.track(header["track"])
        names = [track.primary.name, *sorted({one.name for one in track.metrics} - {track.primary.name})]
        return views.of_experiment(names, ascending=not track.primary.higher_is_better)
    return {}
