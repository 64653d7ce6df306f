"""Tasks and tracks: the measured images, the physics and the scoring, frozen.

A task file declares its tracks as plain data and imports nothing heavy; `Task.open` imports what a track needs and
returns its `Problem`: the images, the measurement and the physics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.contract.space import Range

if TYPE_CHECKING:
    import numpy as np
    import torch
    from deepinv.physics import LinearPhysics
    from torch import Tensor

SPLITS = ("train", "val", "test")
OF = ("image", "finding", "std")  # the parts of an estimate that a metric may score
# Fields of a track that move no score
UNSCORED = ("title", "split_unit", "citation", "shifts", "tested_on", "calibration", "observer", "region")
LATER = (
    "classes",
    "record",
    "metal",
)  # fields of a track and of a metric that are no part of a hash where they are empty
TRAINING_BUDGET = ("steps", "batch", "validation")  # fields of a budget that move scores of trained methods only

LOOKS = 20  # at validation images per training, the last at its end; a short training has fewer
FEWEST_LOOKS = 5
STEPS_PER_LOOK = 200  # at the least, where there are more than the fewest looks


@dataclass(frozen=True)
class Metric:
    """A score of one image, or of a whole set of images.

    ``of`` names the part of an estimate that is scored: its image, its finding, or its std (standard deviation).
    ``function`` names ``module:callable``, called as ``f(x_hat, x, params, **options) -> float`` with float64 CPU
    tensors ``(1, C, ...)``; for a finding as ``f(finding, target, params, **options)``. ``options`` hold the
    conventions that move the score (data range, crop, real part or magnitude).

    A score of a set (an area under a curve, say) names a ``record``, ``module:callable`` too: called as above, it
    returns the facts of one image as plain data, and ``function(records) -> float`` makes the score of them.
    """

    name: str
    function: str
    higher_is_better: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    version: int = 1
    of: str = "image"
    record: str = ""  # for a score of a set: the facts of one image

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"a metric is called {self.name!r}: give it a word, as psnr")
        if self.of not in OF:
            raise ValueError(f"metric {self.name!r} is of {self.of!r}: expected one of {', '.join(OF)}")


@dataclass(frozen=True)
class Budget:
    """The limits of one run: ``trials`` on ``images`` validation images to tune, ``steps`` of ``batch`` to train.

    The checkpoint of a training is chosen on ``validation`` images, of which the first ones tune; None: on as many as
    tune. ``seconds`` limits the wall-clock time of a run: tuning or training and evaluation together.
    """

    trials: int = 8
    images: int = 2
    steps: int = 350
    batch: int = 4
    seconds: float = 3600.0
    validation: int | None = None

    @property
    def validation_images(self) -> int:
        return self.images if self.validation is None else self.validation

    @property
    def look_every(self) -> int:
        """Steps between two looks of a training at its validation images.

        The number of looks depends on the budget alone, so that a run chooses the same weights on every machine. Short
        trainings look less often, or the looks would cost them more than a tenth of their time.
        """
        looks = min(LOOKS, max(FEWEST_LOOKS, self.steps // STEPS_PER_LOOK))
        return max(1, self.steps // looks)

    def scored(self, learned: bool) -> dict[str, Any]:
        """The limits that move a score of a method that is trained, or of one that is not."""
        limits = {name: value for name, value in asdict(self).items() if value is not None}
        return limits if learned else {name: limits[name] for name in limits if name not in TRAINING_BUDGET}


@dataclass(frozen=True)
class Shift:
    """One way in which measurements depart from the ones that a track tunes and trains for, in steps.

    ``points`` maps each step, as it is shown, to the options of the track that it changes; None takes an option away.
    One of them, the track itself, changes nothing. ``more`` are the points that have more samples than the track, which
    must not hurt, the nearest first. Points that are not ``ordered`` have no curve, and no area under it.
    """

    name: str
    title: str
    points: Mapping[str, Mapping[str, Any]]
    more: tuple[str, ...] = ()
    ordered: bool = True

    def __post_init__(self) -> None:
        if [dict(changes) for changes in self.points.values()].count({}) != 1:
            raise ValueError(f"the shift {self.name!r} must have one point that changes nothing: the track itself")
        if unknown := set(self.more) - set(self.points):
            raise ValueError(f"the shift {self.name!r} has more samples at {', '.join(sorted(unknown))}: no such point")

    @property
    def own(self) -> str:
        """The point that is the track itself."""
        return next(point for point, changes in self.points.items() if not changes)

    def at(self, track: Track, point: str) -> Track:
        """The track with the options of one point. Its images and their random numbers stay the same."""
        options = {**track.options, **self.points[point]}
        return replace(track, options={name: value for name, value in options.items() if value is not None})


@dataclass(frozen=True)
class Observer:
    """A frozen network that reads the images of methods for a finding, whose scores tell their task-based quality.

    It reads the test images of the track ``on``, which has targets. ``options`` change options of that track, so that
    these images are measured as the ones of the track that declares the observer. ``network`` names
    ``module:callable``; called with ``weights`` it returns the network, a torch module from images (B, C, ...) to
    probabilities (B, classes, ...).
    """

    on: str
    network: str
    weights: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Track:
    """One frozen instance of a task. A change that moves a score is a new ``version``.

    All fields move scores but the `UNSCORED` ones. A change of the training split, of `Problem.augment` or of
    `Problem.simulate` is a new ``training_version``: it moves the scores of trained methods only.
    """

    task: str
    name: str
    title: str
    version: int
    metrics: tuple[Metric, ...]  # the primary metric first
    budget: Budget
    options: Mapping[str, Any]  # physics, noise, sizes, seeds: everything that `Task.open` reads
    training_version: int = 1
    training: Mapping[str, Any] = field(default_factory=dict)  # what `Task.open` reads for the training split alone
    noise: str = "gaussian"  # its law, which the options hold: gaussian, photon, poisson, rician, ..., or none
    denoising: bool = False  # A is the identity: only noise is removed
    blind: bool = False  # the kernel that blurred y is unknown to the physics
    metal: bool = False  # x holds metal, which starves the rays through it; the metrics score what lies outside of it
    modality: str = "photograph"  # photograph, ct, mri, qsm
    channels: int = 1  # of an image: 2 where it is complex
    classes: int = 0  # channels of a finding; 0 where the track asks for none
    dims: int = 2  # spatial dimensions of an image
    measured_channels: int = 1  # of a measurement: 2 where it is complex
    same_grid: bool = True  # measurements made on the grid of the reconstruction
    data: tuple[str, ...] = ()  # data sets it reads, none for embedded images and phantoms
    tested_on: tuple[str, ...] = ()  # the ones of them that its test images come from; all of ``data`` where not told
    split_unit: str = "image"  # the splits share no image, scene, phantom, ...
    direct_space: Mapping[str, Range] = field(default_factory=dict)  # tunable hyperparameters of `physics.direct`
    direct_defaults: Mapping[str, Any] = field(default_factory=dict)  # their defaults in the operator
    citation: str = ""
    shifts: tuple[Shift, ...] = ()  # under which `bench stress` scores finished runs
    calibration: str = "tasks.metrics.calibration"  # the module that scores standard deviations, beside the metrics
    observer: Observer | None = None  # by which `bench observe` judges the images of finished runs
    # ``module:callable`` from x (1, C, ...) and the target to a mask (...): where a finding should come from
    region: str = ""

    @property
    def id(self) -> str:
        return f"{self.task}:{self.name}"

    @property
    def primary(self) -> Metric:
        return self.metrics[0]

    def of_images(self) -> Track:
        """The track as an inner method meets it, which returns images: without targets and scores of findings.

        Its checkpoint is chosen on as many images as tune: a mean needs fewer of them than a score of a set.
        """
        budget = replace(self.budget, validation=None)
        return replace(self, metrics=tuple(one for one in self.metrics if one.of == "image"), budget=budget, classes=0)

    def scored(self, learned: bool) -> dict[str, Any]:
        """The fields that move a score, as plain data: all but the `UNSCORED` ones and the units of metrics.

        Scores of a method that is not ``learned`` do not depend on how the track trains. Fields that later tracks
        brought (`LATER`) are absent where they are empty, so that earlier tracks keep their hashes.
        """
        fields = {name: value for name, value in asdict(self).items() if name not in UNSCORED}
        fields["budget"] = self.budget.scored(learned)
        if not learned:
            del fields["training_version"]
        if not (learned and self.training):
            del fields["training"]
        fields["metrics"] = [_moving(metric, "unit") for metric in fields["metrics"]]
        return _moving(fields)


def _moving(fields: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if k not in without and (v or k not in LATER)}


class Sample(NamedTuple):
    """One measured image: ``x`` (C, ...), ``y`` and the ``params`` of its physics, all without the batch axis.

    ``group`` names the images that are not independent of this one. ``target`` is the truth of a finding, if the track
    asks for one: ``target["map"]`` (classes, ...) holds for every class its share of each pixel of x, and further
    entries hold what the metrics of the track need. They have one shape for all images of a track.
    """

    id: str
    group: str
    x: Tensor
    y: Tensor
    params: dict[str, Tensor]
    target: Mapping[str, Tensor] | None = None


@dataclass(frozen=True)
class Images:
    """An ordered split: the ``ids``, and ``load(id)``, which returns the argument of the task's ``measure``.

    ``group(id)`` names the scene, subject, volume or phantom that an image shows: those of one are not independent.

    A training takes each image once an epoch, in a random order. Images that take long to make may join it one by one:
    the first few are there from its start, the next after every ``join_every`` samples, each of a random one of those.
    """

    ids: tuple[str, ...]
    load: Callable[[str], Any]
    group: Callable[[str], str] | None = None  # else every image is a group of its own
    join_every: int = 0

    def group_of(self, image: str) -> str:
        return image if self.group is None else self.group(image)

    def changed(self, change: Callable[[Any], Any]) -> Images:
        """The same images, each put through ``change`` when it is loaded: for what its measurements have in common."""
        return replace(self, load=lambda image: change(self.load(image)))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Problem:
    """A track within reach: its images, how they are measured, and its physics.

    ``measure(image, rng)`` returns ``(x, y, params)``, or ``(x, y, params, target)`` on a track that asks for a
    finding, as float64 CPU tensors (complex ``params`` as complex128) without the batch axis; all randomness comes from
    ``rng``. ``physics(params, device)`` takes batched params on that device and returns a fresh float32 operator that
    shares its large buffers. ``augment(image, rng)`` prepares one training image (crop, flip), so that all x of a
    track's training samples have one shape.

    ``simulate(arrays, generators)``, where a track has it, measures a training batch in the place of ``measure``, on
    the device of the training: it takes the arrays of the augmented images by name ("image" where one is a bare array),
    stacked, in single precision on that device, and for each image a torch generator there, of which its noise is
    drawn. It returns ``(x, y, params)`` alike; a param that ``physics`` reads as numbers may lie on the processor.

    Where training images are ``measured_once``, as scans of a data set are, one has the same noise and crop each time.
    """

    images: Mapping[str, Images]  # by split
    measure: Callable[[Any, np.random.Generator], tuple[Any, ...]]
    physics: Callable[[Mapping[str, Tensor], torch.device], LinearPhysics]
    augment: Callable[[Any, np.random.Generator], Any] = lambda image, rng: image
    simulate: Callable[[Mapping[str, Tensor], Sequence[torch.Generator]], tuple[Any, ...]] | None = None
    measured_once: bool = False


@dataclass(frozen=True)
class Task:
    """A reconstruction problem: its tracks and how one is opened."""

    name: str
    title: str
    tracks: tuple[Track, ...]
    open: Callable[[Track], Problem]
