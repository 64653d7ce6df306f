"""Tasks and tracks: what is measured, frozen.

A task file declares its tracks as plain data and imports nothing heavy; `Task.open` imports what a track needs and
returns its `Problem`: the images, the measurement and the physics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.contract.space import Range

if TYPE_CHECKING:
    import numpy as np
    import torch
    from deepinv.physics import LinearPhysics
    from torch import Tensor

SPLITS = ("train", "val", "test")
DERIVED = ("noise", "identity", "blind")  # what a track declares that follows from its task and its options


@dataclass(frozen=True)
class Metric:
    """A score of one image.

    ``function`` names ``module:callable``, called as ``f(x_hat, x, params, **options) -> float`` with float64 CPU
    tensors ``(1, C, ...)``. What moves the score (data range, crop, real part or magnitude) stands in ``options``.
    """

    name: str
    function: str
    higher_is_better: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    version: int = 1


@dataclass(frozen=True)
class Budget:
    """What a method may spend: ``trials`` on ``images`` validation images to tune, ``steps`` of ``batch`` to train."""

    trials: int = 8
    images: int = 2
    steps: int = 350
    batch: int = 4


@dataclass(frozen=True)
class Track:
    """One frozen instance of a task. A change that moves a score is a new ``version``."""

    task: str
    name: str
    title: str
    version: int
    metrics: tuple[Metric, ...]  # the primary metric first
    budget: Budget
    options: Mapping[str, Any]  # physics, noise, sizes, seeds: all that `Task.open` reads
    noise: str = "gaussian"  # its law, which the options hold: gaussian, photon, poisson, rician, ..., or none
    identity: bool = False  # whether A is the identity: y is the image and its noise
    blind: bool = False  # whether the physics keeps back a kernel that y was blurred by
    modality: str = "photograph"  # what forms the measurement: photograph, ct, mri, qsm
    channels: int = 1  # of an image: 2 where it is complex
    dims: int = 2  # spatial dimensions of an image
    measured_channels: int = 1  # of a measurement: 2 where it is complex
    same_grid: bool = True  # measurements made on the grid of the reconstruction
    data: tuple[str, ...] = ()  # data sets it reads, none for embedded images and phantoms
    split_unit: str = "image"  # what keeps the splits apart
    direct: Mapping[str, Range] = field(default_factory=dict)  # hyperparameters of `physics.direct`
    citation: str = ""

    @property
    def id(self) -> str:
        return f"{self.task}:{self.name}"

    @property
    def primary(self) -> Metric:
        return self.metrics[0]

    def fingerprint(self) -> str:
        """Hash of all that the track declares, and of the manifests of the data sets it reads.

        Without what is `DERIVED`.
        """
        from bench.data.manifest import manifest

        track = {name: value for name, value in asdict(self).items() if name not in DERIVED}
        declared = {"track": track, "files": {name: dict(manifest(name).files) for name in self.data}}
        return hashlib.sha256(json.dumps(declared, sort_keys=True, default=str).encode()).hexdigest()[:16]


class Sample(NamedTuple):
    """One measured image: ``x`` (C, ...), ``y`` and the ``params`` of its physics, all without the batch axis."""

    id: str
    x: Tensor
    y: Tensor
    params: dict[str, Tensor]


@dataclass(frozen=True)
class Images:
    """An ordered split: the ``ids``, and ``load(id)``, which gives whatever the task's ``measure`` takes."""

    ids: tuple[str, ...]
    load: Callable[[str], Any]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Problem:
    """A track within reach: its images, how they are measured, and its physics.

    ``measure(image, rng)`` returns ``(x, y, params)`` as float64 CPU tensors (complex ``params`` as complex128) without
    the batch axis; all randomness comes from ``rng``. ``physics(params, device)`` takes batched params on that device
    and returns a fresh float32 operator that shares its large buffers. ``augment(image, rng)`` prepares one training
    image (crop, flip), so that all x of a track's training samples have one shape.
    """

    images: Mapping[str, Images]  # by split
    measure: Callable[[Any, np.random.Generator], tuple[Tensor, Tensor, dict[str, Tensor]]]
    physics: Callable[[Mapping[str, Tensor], torch.device], LinearPhysics]
    augment: Callable[[Any, np.random.Generator], Any] = lambda image, rng: image


@dataclass(frozen=True)
class Task:
    """A reconstruction problem: its tracks and how one is opened."""

    name: str
    title: str
    tracks: tuple[Track, ...]
    open: Callable[[Track], Problem]
