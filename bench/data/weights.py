"""Weights that their authors published: found by name, by a file or by SHA-256, and read as tensors.

They are declared by manifests (`bench.data.manifest`, the sets ``weights/NAME``), which name their origin, terms and
training data. The user fetches the files; none is shipped. ``SET/FILE`` is the name of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract.task import Track
from bench.data import manifest as data
from bench.errors import BenchError, unknown
from bench.places import store

if TYPE_CHECKING:
    from torch import Tensor

HASH = 64  # digits of a SHA-256


@dataclass(frozen=True)
class Weights:
    """One file of published weights."""

    manifest: data.Manifest
    file: str

    @property
    def name(self) -> str:
        return f"{self.manifest.name.removeprefix(f'{data.WEIGHTS}/')}/{self.file}"

    @property
    def sha256(self) -> str:
        return self.manifest.files[self.file]

    @property
    def label(self) -> str:
        """The label of its rows on a board."""
        return f"weights={Path(self.file).stem}"

    def record(self) -> dict[str, Any]:
        """What a run keeps of the training that it did not do."""
        declared = self.manifest
        origin = declared.url(self.file)
        return {"weights": self.name, "origin": origin, "terms": declared.terms, "trained_on": declared.training}


def all_weights() -> dict[str, Weights]:
    """Every declared file by its name."""
    sets = [data.manifest(name) for name in data.manifests() if name.startswith(f"{data.WEIGHTS}/")]
    found = [Weights(one, file) for one in sets for file in one.files]
    return {one.name: one for one in found}


def is_hash(text: str) -> bool:
    """Whether a text is the SHA-256 of weights, and not the key of a run, which is shorter."""
    return len(text) == HASH


def by_hash(sha256: str) -> Weights:
    """The declared file of this content. Raises `BenchError` where there is none."""
    for one in all_weights().values():
        if one.sha256 == sha256:
            return one
    raise BenchError(
        f"no manifest declares weights of the SHA-256 {sha256[:12]}...: their origin and training data are not known. "
        "Declare them in baselines/weights."
    )


def find(text: str, method: str) -> Weights:
    """The weights that a name or a file stands for, which ``method`` can use, and which are on this machine whole.

    A file from elsewhere is kept where a download would have put it. Raises `BenchError` where the name is unknown, the
    file is missing or holds other bytes, or the weights are another method's.
    """
    known = all_weights()
    if text in known:
        one = known[text]
    elif Path(text).is_file():
        one = by_hash(data.sha256(Path(text)))
        if data.check(one.manifest.name, [one.file]):
            place = store() / "data" / one.manifest.name / one.file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(text, place)
    else:
        raise unknown("file of published weights", text, known)
    if one.manifest.method != method:
        raise BenchError(f"the weights {one.name} are of {one.manifest.method}, which {method} cannot use.")
    data.file(one.manifest.name, one.file)
    return one


def refuse_overlap(weights: Weights, track: Track) -> None:
    """Raise `BenchError` where the weights learned from data that the track tests on."""
    tested = track.tested_on or track.data
    shared = sorted(set(weights.manifest.trained_on) & set(tested))
    if shared:
        raise BenchError(
            f"{track.id} refuses the weights {weights.name}: they were trained on {', '.join(shared)}, its test set."
        )


def tensors(weights: Weights) -> dict[str, Tensor]:
    """The tensors of a file by their names, read without running code of it. Raises `BenchError` where it can't be.

    Of a MATLAB file, single precision in MATLAB's order of axes: ``net.layers.3.weights.0``, and weights alone.
    """
    path = data.file(weights.manifest.name, weights.file)
    try:
        if path.suffix == ".mat":
            return dict(_numbers(_matlab(path), ""))
        import torch

        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a reader raises whatever the bytes suggest
        raise BenchError(f"the weights {weights.name} cannot be read: {' '.join(str(error).split())[:200]}.") from None


def _matlab(path: Path) -> Any:
    """The structs and cells of a MATLAB file as dictionaries and lists."""
    import h5py
    from scipy.io import loadmat

    if not h5py.is_hdf5(path):
        return loadmat(path, simplify_cells=True)
    with h5py.File(path) as file:

        def read(item: Any) -> Any:
            if isinstance(item, h5py.Group):
                return {name: read(item[name]) for name in item if name != "#refs#"}
            if item.dtype == h5py.ref_dtype:
                return [read(file[reference]) for reference in item[()].flat]
            return None if "MATLAB_empty" in item.attrs else item[()].T

        return read(file)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    import numpy as np
    import torch

    if isinstance(value, dict):
        for key, one in value.items():
            yield from _numbers(one, f"{name}.{key}" if name else key)
    elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object):
        for index, one in enumerate(value):
            yield from _numbers(one, f"{name}.{index}")
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and ".weights." in name:
        yield name, torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))
