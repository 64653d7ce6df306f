"""Arrays that take long to make, kept in the store's cache. The folder can be deleted at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.places import store, whole_file

if TYPE_CHECKING:
    import numpy as np


NAMES = "__names__"  # of the arrays of a file: its checksums (of zip) cover each array, but not that all are there


def folder() -> Path:
    return store() / "cache"


def code_hash(*modules: ModuleType) -> str:
    """Hash of the modules' sources: part of the key of what they make, so that changed code never finds old arrays."""
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    return hashlib.sha256(sources.encode()).hexdigest()[:12]


def cached(kind: str, key: str, make: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from the cache, made and kept on first use. ``key`` is a hash of everything they depend on.

    A damaged file is made anew; a cache that cannot be written costs time, not the run.
    """
    import numpy as np

    path = folder() / f"{kind}-{key}.npz"
    with suppress(Exception):  # absent, or damaged: its bytes may suggest anything to a reader
        with path.open("rb") as file, np.load(file) as stored:
            found = dict(stored)
        if sorted(found) == sorted([*found.pop(NAMES).tolist(), NAMES]):
            return found
    arrays = dict(make())

    def save(scratch: Path) -> None:
        with scratch.open("wb") as file:
            np.savez(file, **arrays, **{NAMES: np.array(sorted(arrays))})  # type: ignore[arg-type]

    _write(path, save)
    return arrays


def read_values(path: Path) -> Any:
    """Plain values from the cache; None where they are absent or damaged."""
    with suppress(Exception):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["checksum"] == _checksum(document["values"]):
            return document["values"]
    return None


def write_values(path: Path, values: Any) -> None:
    """Keep plain values with a checksum, whole or not at all."""
    text = json.dumps({"values": values, "checksum": _checksum(values)})
    _write(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def _checksum(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """A cache that can't be written costs time, not the run."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as scratch:
            save(scratch)
