"""Numbers that environment variables set, and the processors that the machine gives to this process.

Variables are read where they are used, and by `bench run` before it starts anything: a wrong one costs no run.
"""

from __future__ import annotations

import os

from bench.errors import BenchError


def whole_number(name: str, least: int) -> int | None:
    """The number that a variable sets, None where it is empty. Raises `BenchError` for less than ``least``, or text."""
    text = os.environ.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise BenchError(f"{name}={text} is not a {'positive ' * (least > 0)}whole number. Set one, or unset it.")
    return int(text)


def workers() -> int | None:
    """Processes that draw the data of a training."""
    return whole_number("BENCH_WORKERS", 0)


def switch(name: str, usual: bool) -> bool:
    """Whether a variable is on, ``usual`` where it is empty. Raises `BenchError` where it is neither on nor off."""
    text = os.environ.get(name) or ("on" if usual else "off")
    if text not in ("on", "off"):
        raise BenchError(f"{name}={text} is neither on nor off. Set one, or unset it.")
    return text == "on"


def records(usual: bool = True) -> bool:
    """Whether work of a GPU is recorded (`bench.cuda_graphs`), which ``usual`` work is without asking."""
    return switch("BENCH_RECORDED", usual)


def threads() -> int:
    """Threads of one run on the CPU: one by default, so that scores do not depend on the machine's size."""
    return whole_number("BENCH_THREADS", 1) or 1


def processors() -> int:
    """Processors that this process may use: by its affinity, where the system tells, and a container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="utf-8") as file:
            quota, period = file.read().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return count
