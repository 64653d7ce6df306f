"""One run as a piece of work for an engine: its process, and the record of a process that could not write its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable

from bench.engines.local import Ended
from bench.engines.worker import launch
from bench.places import partial, runs
from bench.runs.outcomes import failed_result, outcome_directory
from bench.runs.records import Result, finished
from bench.runs.spec import Spec
from bench.tracking import journal

OFTEN = 0.2  # seconds between two reports of a stage
WRITTEN = "looking inside the method"  # the last stage: from here on the run has its result


def execute(spec_text: str, send: Callable[[str], None]) -> str:
    """Do the run of a spec in this process and write its directory; its journal tells of it meanwhile."""
    spec = Spec.from_json(spec_text)
    last = 0.0
    look = None

    def report(stage: str) -> None:
        nonlocal last
        if time.monotonic() - last > OFTEN and look is None:
            last = time.monotonic()
            send(stage)

    target = runs() / spec.key
    with outcome_directory(target) as directory:
        with journal.journal(spec) as lines:
            if spec.devices > 1:
                launch(spec, directory)
            else:
                from bench.runs.run import perform

                look = perform(spec, directory, report, lines.take)
    if finished(target):
        shutil.rmtree(partial(spec.key), ignore_errors=True)
    send(WRITTEN)
    if look is not None:
        look(target)
    return ""


def conclude(spec: Spec, ended: Ended) -> Result | str:
    """The result of a run that has ended; a failed one is written for a process that could not write its own."""
    answer = record(spec, ended)
    journal.end(spec.key, answer if isinstance(answer, str) else "")
    return answer


def record(spec: Spec, ended: Ended) -> Result | str:
    target = runs() / spec.key
    try:
        if ended.error and ended.stage != WRITTEN:
            if finished(target):
                return f"{ended.error}. The finished run {spec.key} is kept."
            with outcome_directory(target) as directory:
                failed = failed_result(spec, ended.error, ended.seconds)
                (directory / "result.json").write_text(failed.to_json(), encoding="utf-8")
        return Result.read(target / "result.json")
    except Exception as error:  # whatever keeps this run from being recorded, the others go on
        return ended.error or str(error)
