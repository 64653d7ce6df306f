"""What a grid asks of an engine: this machine's (`bench.engines.local`), and a cluster's later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from bench.engines.local import Ended, Task


class Engine(Protocol):
    """Does pieces of work in processes of their own, somewhere."""

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Ended:
        """One piece of work, waited for."""

    def work(self, tasks: Iterable[Task], tick: Callable[[], None] = ...) -> Iterator[Ended]:
        """All tasks, each yielded when it has ended, whatever became of it."""
