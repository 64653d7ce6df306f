"""Measured images: fixed ones to validate and test on, and an endless seeded stream to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bench.contract import registry
from bench.contract.task import Problem, Sample, Track
from bench.errors import BenchError

KEPT = 2**30  # bytes of training images in the memory of one process
FIRST = 8  # images that a training starts with, where images join it one by one
SINGLE = {torch.float64: torch.float32, torch.complex128: torch.complex64}


def generator(*parts: object) -> np.random.Generator:
    """A NumPy generator seeded by names and numbers, the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def single(tensor: Tensor) -> Tensor:
    """The tensor in single precision; integers and booleans as they are."""
    return tensor.to(SINGLE.get(tensor.dtype, tensor.dtype)).contiguous()


def digest(tensor: Tensor) -> str:
    """Hash of a tensor's bits."""
    return hashlib.sha256(tensor.contiguous().cpu().numpy().tobytes()).hexdigest()


class Measured(Dataset):
    """The images of a split with their one measurement, drawn by a generator seeded by (track, image id).

    ``x`` and the target stay in float64, for scores; ``y`` and ``params`` are in single precision. With ``keep`` an
    image is measured once and kept in memory.
    """

    def __init__(
        self, track: Track, problem: Problem, split: str, limit: int | None = None, *, keep: bool = False
    ) -> None:
        self.track = track
        self.problem = problem
        self.images = problem.images[split]
        self.ids = self.images.ids[:limit]
        self.kept: dict[int, Sample] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Sample:
        if self.kept is None:
            return self.measure(index)
        if index not in self.kept:
            self.kept[index] = self.measure(index)
        return self.kept[index]

    def measure(self, index: int) -> Sample:
        name = self.ids[index]
        rng = generator(self.track.id, self.track.version, name)
        x, y, params, *target = self.problem.measure(self.images.load(name), rng)
        group = self.images.group_of(name)
        return Sample(name, group, x, single(y), {key: single(value) for key, value in params.items()}, *target)


def sound(sample: Sample, classes: int) -> Sample:
    """The sample, whose numbers are finite and whose target has a map of ``classes`` shares of pixels.

    Raises `BenchError` where the task has made another: no method is to be blamed for it.
    """
    for name, value in {"x": sample.x, "y": sample.y, **sample.params}.items():
        if not bool(torch.isfinite(value).all()):
            raise BenchError(f"the task made {name} of {sample.id} with NaN or infinite values.")
    if classes:
        found, shape = (sample.target or {}).get("map"), (classes, *sample.x.shape[1:])
        if not isinstance(found, Tensor) or found.shape != shape or not found.is_floating_point():
            shown = f"{tuple(found.shape)} in {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            raise BenchError(f'the task made target["map"] of {sample.id} {shown}, expected {shape} in torch.float64.')
        if not (float(found.min()) >= 0 and float(found.max()) <= 1):
            raise BenchError(f'the task made target["map"] of {sample.id} beyond [0, 1]: it holds shares of pixels.')
    return sample


class Unmeasured(NamedTuple):
    """A training image that is measured on the device of the training, by a generator of ``seed``."""

    id: str
    group: str
    arrays: dict[str, Tensor]  # in single precision
    seed: int


class TrainingStream(Dataset):
    """``length`` training samples: item ``i`` is the same image, crop and noise for one seed, wherever it is drawn.

    Another process opens the track anew: a problem is made of functions, which cannot be sent. A process keeps up to
    `KEPT` bytes of what it would make again: the images that it has loaded, or the samples of images measured once.
    """

    def __init__(self, track: Track, problem: Problem, seed: int, length: int) -> None:
        self.track, self.problem, self.seed, self.length = track, problem, seed, length
        self.kept: dict[str, Any] = {}  # by the image
        self.room = KEPT

    def __reduce__(self) -> Any:
        return _opened_anew, (self.track, self.seed, self.length)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample | Unmeasured:
        name = self.name(index)
        if self.problem.measured_once:
            return self.once(name, lambda: self.draw(name, self.load(name), name))
        return self.draw(name, self.once(name, lambda: self.load(name)), index)

    def draw(self, name: str, image: Any, seed: object) -> Sample | Unmeasured:
        """A sample of a training image, augmented and measured by random numbers of ``seed``."""
        rng = generator("train", self.track.id, self.seed, seed)
        image = self.problem.augment(image, rng)
        group = self.problem.images["train"].group_of(name)
        if self.problem.simulate is not None:
            named = image if isinstance(image, Mapping) else {"image": image}
            arrays = {key: single(torch.from_numpy(value)) for key, value in named.items()}
            return Unmeasured(name, group, arrays, int(rng.integers(2**63)))
        x, y, *others = self.problem.measure(image, rng)
        params, *target = ({key: single(value) for key, value in one.items()} for one in others)
        return Sample(name, group, single(x), single(y), params, *target)

    def name(self, index: int) -> str:
        """The image of sample ``index``."""
        images = self.problem.images["train"]
        if images.join_every:
            there = min(len(images), FIRST + index // images.join_every)
            return images.ids[generator("image", self.seed, index).integers(there)]
        epoch, position = divmod(index, len(images))
        return images.ids[generator("order", self.seed, epoch).permutation(len(images))[position]]

    def first_names(self) -> list[str]:
        """All images, in the order in which they are drawn first, or may be."""
        images = self.problem.images["train"]
        return list(images.ids) if images.join_every else [self.name(index) for index in range(len(images))]

    def load(self, name: str) -> Any:
        return self.problem.images["train"].load(name)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` returns for an image, kept while there is room."""
        if name in self.kept:
            return self.kept[name]
        made = make()
        size = bytes_of(made)
        if size <= self.room:
            self.kept[name] = made
            self.room -= size
        return made


def _opened_anew(track: Track, seed: int, length: int) -> TrainingStream:
    return TrainingStream(track, registry.load_task(track.task).open(track), seed, length)


def collate(samples: Sequence[Sample]) -> tuple[list[str], Tensor, Tensor, dict[str, Tensor]]:
    """Stack samples of one shape into ``(ids, x, y, params)``."""
    x, y = torch.stack([sample.x for sample in samples]), torch.stack([sample.y for sample in samples])
    return [sample.id for sample in samples], x, y, stacked([sample.params for sample in samples])


def collate_training(samples: Sequence[Sample | Unmeasured]) -> Any:
    """Stack samples of a `TrainingStream`, for `on_device`."""
    if isinstance(samples[0], Sample):
        target = targets(samples)  # type: ignore[arg-type]
        _, *measured = collate(samples)  # type: ignore[arg-type]
        return tuple(measured) if target is None else (*measured, target)
    return stacked([one.arrays for one in samples]), [one.seed for one in samples]  # type: ignore[union-attr]


def on_device(problem: Problem, batch: Any, device: torch.device) -> tuple[Any, ...]:
    """The ``(x, y, params)`` of stacked training samples on ``device``, measured there where they are not yet.

    On a track that asks for a finding the target is the fourth part. The noise of a sample does not depend on the
    others of its batch.
    """
    if problem.simulate is None:
        x, y, *others = batch
        x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        return x, y, *(to_device(one, device) for one in others)
    arrays, seeds = batch
    return problem.simulate(to_device(arrays, device), [torch.Generator(device).manual_seed(seed) for seed in seeds])


def targets(samples: Sequence[Sample]) -> dict[str, Tensor] | None:
    """Stack the targets of samples; None on a track without."""
    found = [sample.target for sample in samples if sample.target is not None]
    return stacked(found) if found else None


def bytes_of(made: Any) -> int:
    """The size of an array, of a tensor, and of all that mappings and tuples hold of them."""
    if isinstance(made, Mapping | tuple):
        return sum(map(bytes_of, made.values() if isinstance(made, Mapping) else made))
    return getattr(made, "nbytes", 0)


def stacked(tensors: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.stack([one[key] for one in tensors]) for key in tensors[0]}


def to_device(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {key: value.to(device, non_blocking=True) for key, value in tensors.items()}
