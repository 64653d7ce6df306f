"""How many images and groups the splits of a track have: kept in the cache when a run has opened the track."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bench.contract.task import Problem, Track
from bench.data import cache

Sizes = dict[str, list[int]]  # {split: [images, groups]}


def keep(track: Track, problem: Problem) -> None:
    """Keep the sizes of an open track, for readers that cannot wait until it is opened."""
    sizes = {
        split: [len(images), len({images.group_of(image) for image in images.ids})]
        for split, images in problem.images.items()
    }
    if cache.read_values(_path(track)) != sizes:
        cache.write_values(_path(track), sizes)


def kept(track: Track) -> Sizes:
    """The sizes of a track that a run has opened; empty for another."""
    return cache.read_values(_path(track)) or {}


def _path(track: Track) -> Path:
    fields = json.dumps([track.id, track.scored(learned=True)], sort_keys=True, default=str)
    return cache.folder() / f"sizes-{hashlib.sha256(fields.encode()).hexdigest()[:20]}.json"
