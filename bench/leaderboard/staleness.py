"""Whether a score is of today's code: the method's sources, the referee's protocol, and the track."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from bench.contract import registry
from bench.errors import BenchError

GONE = (0, "")
EXTERNAL = "external: its source is not at hand, its kept hash stands"


class Scored(Protocol):
    """What a result and an entry share: the code and the track that its scores are of."""

    @property
    def task(self) -> str: ...
    @property
    def track(self) -> str: ...
    @property
    def task_version(self) -> int: ...
    @property
    def task_code(self) -> str | None: ...
    @property
    def scored(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def learned(self) -> bool: ...
    @property
    def sources(self) -> dict[str, str]: ...
    @property
    def code(self) -> str: ...
    @property
    def protocol_version(self) -> int: ...


@dataclass(frozen=True)
class Now:
    """The code that is here now.

    ``sources(method)`` gives the code hashes of a method's files, None for a method that is not here; ``code(sources)``
    the one hash of them; ``track("task:track", learned)`` its version and the hash of the fields that move a score of
    methods that are trained or not, `GONE` for a track that its task has no more, None where the task is not here;
    ``methods()`` the families of all methods by name; ``task_code(task)`` the hash of the code of a task from outside
    of this repository, "" for our own and where it is not here.
    """

    protocol: int
    sources: Callable[[str], Mapping[str, str] | None]
    code: Callable[[Mapping[str, str]], str]
    track: Callable[[str, bool], tuple[int, str] | None]
    methods: Callable[[], Mapping[str, str]] = dict
    task_code: Callable[[str], str] = lambda task: ""


def here() -> Now:
    """The code of this installation. No method is imported, and nothing heavy."""
    from bench.runs import key, provenance

    @cache
    def sources(method: str) -> Mapping[str, str] | None:
        try:
            if registry.method_file(method).path is None:
                return None
            return provenance.method_sources(method)
        except BenchError:
            return None
        except (OSError, SyntaxError, ValueError):
            return {}  # no score is of code that cannot be read

    @cache
    def track(name: str, learned: bool) -> tuple[int, str] | None:
        if name.partition(":")[0] not in registry.tasks():
            return None
        try:
            found = registry.track(name)
        except BenchError:
            return GONE
        return found.version, key.scored(found, learned)

    def methods() -> dict[str, str]:
        return {name: file.family for name, file in sorted(registry.methods().items()) if file.path is not None}

    @cache
    def task_code(task: str) -> str:
        try:
            found = provenance.task_sources(task)
        except (OSError, SyntaxError, ValueError):
            return ""
        return provenance.code_of(found) if found else ""

    return Now(key.PROTOCOL, sources, provenance.code_of, track, methods, task_code)


def is_external(record: Scored) -> bool:
    """Whether the method's own file, or the one of its inner method, lies outside of the repository."""
    ours = {Path(name).stem for name in record.sources if name.startswith("baselines/")}
    return not set(record.method.split(registry.JOINED)) <= ours


def staleness(record: Scored, now: Now) -> str:
    """Why the scores are not of today's code, in a few words; "" where they are.

    A method or a task from outside of the repository whose source is not at hand can't be checked and passes.
    """
    track = now.track(f"{record.task}:{record.track}", record.learned)
    if track == GONE:
        return "stale: the track is no longer here"
    if track is not None and record.task_version != track[0]:
        return f"outdated: version {record.task_version} of the track, now {track[0]}"
    if track is not None and record.scored != track[1]:
        return "stale: the track has changed since"
    if record.task_code is not None and now.task_code(record.task) not in ("", record.task_code):
        return "stale: the code of the task has changed since"
    if record.protocol_version != now.protocol:
        return f"stale: version {record.protocol_version} of the referee's protocol, now {now.protocol}"
    if is_external(record):
        return ""
    sources = now.sources(record.method)
    if sources is None:
        return "stale: the method is no longer here"
    if record.code != now.code(sources):
        return "stale: the code of the method has changed since"
    return ""
