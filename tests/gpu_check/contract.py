"""The contract of every method on the device, each in a process of its own: `bench check METHOD --device DEVICE`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.contract import registry
from bench.engines.local import LocalEngine, Task
from tests.gpu_check.plan import OutOfTime, Plan, stop_clock
from tests.gpu_check.report import FAILED, OK, Row

SHORT = ("direct", "unet")
SECONDS = 150.0  # for one method
LEAST = 10.0  # seconds in which a method begins further operators
SHARED = 0.7  # of the time; the rest is for starts, and for operators that are begun late
UNTRIED = "not tried for lack of time"


def rows(plan: Plan) -> Iterator[Row]:
    names = [name for name in reversed(registry.methods()) if not plan.short or name in SHORT]  # the slow ones first
    engine = LocalEngine(plan.jobs, plan.visible)
    waiting = dict.fromkeys(names)
    # So that every method is tried on some operators.
    share = max(LEAST, SHARED * plan.seconds * plan.jobs / len(names))
    tasks = [Task(name, breaches, (name, plan.device, share), SECONDS) for name in names]
    try:
        for ended in engine.work(tasks):
            del waiting[ended.task.name]
            yield from rows_of(ended.task.name, ended.value, ended.error, ended.seconds)
    except OutOfTime:
        stop_clock()
        for name in waiting:
            yield Row(FAILED, name, f"not checked within {plan.seconds:.0f} s")


def breaches(name: str, device: str, seconds: float, report: Callable[[str], None]) -> tuple[int, list[str], list[str]]:
    """How many checks there were, those that failed, and the remarks of those that passed."""
    from bench.contract.checks import NOT_TRIED, check

    found = check(registry.load_method(name), device, seconds)
    outcomes = [one for one in found if not one.check.endswith(NOT_TRIED)]
    failed = [f"{one.check}: {one.message}" for one in outcomes if not one.passed]
    remarks = [f"{one.check}: {one.message}" for one in outcomes if one.passed and "unsupported" not in one.check]
    remarks = [remark for remark in remarks if not remark.endswith(": ")]
    if left := len(found) - len(outcomes):
        remarks.append(f"{left} operators {UNTRIED}")
    return len(outcomes), failed, remarks


def rows_of(name: str, value: Any, error: str, seconds: float) -> Iterator[Row]:
    if error:
        yield Row(FAILED, name, error)
        return
    count, failed, remarks = value
    if not failed:
        yield Row(OK, name, f"{count} checks ({seconds:.0f} s){farthest(remarks)}", details={"remarks": remarks})
    for line in failed:
        yield Row(FAILED, name, line, details={"remarks": remarks})


def farthest(remarks: list[str]) -> str:
    """The largest distance from the CPU's image, and the operators not repeatable bit for bit, or not tried."""
    apart = [float(text.split("differs by ")[1].split(",")[0]) for text in remarks if "agrees with the CPU: d" in text]
    left = [text for text in remarks if text.endswith(UNTRIED)]
    loose = [text for text in remarks if "cannot be deterministic" in text]
    words = f", at most {max(apart):.0e} from the CPU" if apart else ""
    if loose:
        operations = loose[0].split(": ")[-1].replace(" cannot be deterministic there", "")
        words += f", not bit for bit on {len(loose)} operators ({operations})"
    return ", ".join([words, *left])
