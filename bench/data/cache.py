"""Arrays that take long to make, kept in the store's cache. The folder can be deleted at any time."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bench.places import store

if TYPE_CHECKING:
    import numpy as np


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
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        pass  # absent or damaged
    arrays = dict(make())
    scratch = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(scratch, **arrays)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
    return arrays
