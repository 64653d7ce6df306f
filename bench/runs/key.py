"""The key of a run: a hash of its spec, by which finished work is found again.

It covers the requested hyperparameters, the search space, budget and recipe, the seed, the limit, the fields of the
track that move a score and the checksums of its data, the code of the method and of every module of `baselines` that it
imports, the code of a task from outside of this repository, the protocol version of the referee, the versions of the
packages that move scores, and the device class. Chosen hyperparameters are results and no part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.contract.task import Track

# Version of the referee's own protocol: how it draws measurements, tunes, trains and scores. A change of `bench` that
# moves a golden score (tests/bench/test_protocol.py holds them) raises it, and every older row becomes stale.
PROTOCOL = 2


def digest(values: Any) -> str:
    """Hash of plain values; equal values of other order of keys have equal hashes."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:20]


def scored(track: Track, learned: bool) -> str:
    """Hash of the fields of a track that move a score of a method, and of the checksums of the data that it reads."""
    from bench.data.manifest import manifest

    files = {name: dict(manifest(name).files) for name in track.data}
    return digest({"track": track.scored(learned), "files": files})


def keys(parts: Mapping[str, Any]) -> tuple[str, str]:
    """The key of a run, and of its group: the same without the seed."""
    return digest(parts), digest({**parts, "seed": None})
