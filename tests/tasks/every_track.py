"""Every track that is found, opened once for all tests."""

from functools import cache

from bench.contract import registry
from bench.task_checks.opened import Opened

TRACKS = {track.id: track for track in registry.all_tracks()}


@cache
def opened(name: str) -> Opened:
    return Opened(registry.load_task(TRACKS[name].task), TRACKS[name])
