"""Task-based quality: s(N(R(y)), f), the score of the finding that a frozen observer N sees in a reconstruction R(y)

The images are the ones of the track that the observer belongs to, whose truth f is known, measured as the track of the
method measures. R has the hyperparameters and the weights that were chosen on its own track: it knows nothing of N.

H. Barrett, J. Yao, J. Rolland, K. Myers, Model observers for assessment of image quality, PNAS 90(21), 1993.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from bench.contract import registry
from bench.contract.method import Estimate, Method
from bench.contract.task import Observer, Track
from bench.evaluation.evaluate import Evaluation, evaluate

Report = Callable[[str], None]


class Observing(Method):
    """The images of a method, and what a frozen network finds in them."""

    def __init__(self, method: Method, network: nn.Module) -> None:
        super().__init__()
        self.method, self.network = method, network
        self.sees_truth = method.sees_truth  # type: ignore[misc]

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        answer = self.method(y, physics)
        image = answer.image if isinstance(answer, Estimate) else answer
        return Estimate(image=image, finding=self.network(image))


class Truth(Method):
    """The true image: the most that an observer can be shown."""

    sees_truth = True

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return y


@dataclass(frozen=True)
class Observation:
    """The scores that images have for a frozen observer."""

    observer: str  # hash of its weights and of the images that it reads
    track: Track  # of these images
    evaluation: Evaluation
    truth: dict[str, float]  # the scores of its findings in the true images


def observe(method: Method, observer: Observer, *, accelerator: str, seed: int, report: Report) -> Observation:
    """The scores of the images of a method, and of the findings of an observer in them."""
    track = seen(observer)
    problem = registry.load_task(track.task).open(track)
    network = registry.resolve(observer.network)(observer.weights).eval()

    def scores(shown: Method, track: Track) -> Evaluation:
        reading = Observing(shown, network).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run has kept those of its method
            return evaluate(reading, track, problem, accelerator=accelerator, seed=seed, report=report)[0]

    metrics = tuple(metric for metric in track.metrics if metric.of == "finding")
    best = scores(Truth(), replace(track, metrics=metrics)).per_image
    truth = {metric.name: math.fsum(one[metric.name] for one in best.values()) / len(best) for metric in metrics}
    return Observation(identity(network, track), track, scores(method, track), truth)


def seen(observer: Observer) -> Track:
    """The track whose images an observer reads, with the options by which they are measured."""
    track = registry.track(observer.on)
    return replace(track, options={**track.options, **observer.options})


def identity(network: nn.Module, track: Track) -> str:
    """Hash of the weights of a network and of the scored fields of a track: equal ones can be compared."""
    found = hashlib.sha256(json.dumps(track.scored(learned=False), sort_keys=True, default=str).encode())
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
