"""S(r) = ‖f(y + ε A 1_r) − f(y)‖₁ / ε:   how a finding f depends on each region r of the object

The object changes by ε in one cell r of a grid, the measurement by what the scan would see of it, and its noise stays.
S is the norm of a directional derivative of f in the object, taken as a difference: unlike the gradient maps of the
literature on end-to-end detection it needs no derivative of the reconstruction, so that joint and separate training,
networks and iterations, are asked the same. The share of S inside the lungs tells how much of the finding comes from
where it should.

K. Simonyan, A. Vedaldi, A. Zisserman, Deep inside convolutional networks, ICLR workshop 2014 (gradients of a decision);
M. Zeiler, R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014 (changes of one region at a time);
D. Wu, K. Kim, B. Dong, G. El Fakhri, Q. Li, End-to-end lung nodule detection in computed tomography, MLMI 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.contract import registry
from bench.contract.method import Method
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, targets
from bench.errors import BenchError
from bench.evaluation.evaluate import given, physics_for, reconstruct, seeded
from bench.evaluation.pictures import labels, plane

IMAGES = 4  # the first test images
CELLS = 12  # of the grid along each side
CONTRAST = 0.05  # ε, in parts of the range of the object: that of a faint structure
BATCH = 16  # measurements that a method is given at a time
ZOOM = 3  # of a pixel in the picture


@dataclass(frozen=True)
class SensitivityMap:
    """The sensitivity of a finding to each cell of an object, and the shares that lie in a region."""

    id: str
    x: Tensor  # (1, C, H, W)
    finding: Tensor  # (1, classes, H, W)
    values: Tensor  # S at each pixel, constant over a cell, (H, W)
    region: Tensor  # (H, W), boolean

    @property
    def inside(self) -> float:
        """The share of the sensitivity inside the region; 0 of a finding that depends on nothing."""
        return float(self.values[self.region].sum() / self.values.sum().clamp(min=1e-30))

    @property
    def area(self) -> float:
        """The share of the image that the region fills."""
        return float(self.region.double().mean())


@torch.no_grad()
def sensitivity_maps(
    method: Method, track: Track, problem: Problem, seed: int, device: torch.device
) -> Iterator[SensitivityMap]:
    """The maps of the first test images. Raises `BenchError` where a track or a method has no such map."""
    if not track.region or track.dims != 2:
        raise BenchError(f"{track.id} declares no region that a finding should come from.")
    if "finding" not in method.returns:
        raise BenchError(f"{type(method).__name__} returns no finding, whose sensitivity could be told.")
    region = registry.resolve(track.region)
    method = method.to(device).eval()
    data = Measured(track, problem, "test", IMAGES)
    for index in range(len(data)):
        sample = data[index]
        (name,), x, y, params = collate([sample])

        def finding(x: Tensor, y: Tensor, params=params, name=name) -> Tensor:
            physics = physics_for(problem, repeated(params, len(y)), device)
            with seeded(seed, track.id, name):
                estimate = reconstruct(method, given(method, x, y, device), physics, x.shape, name, track)
            assert estimate.finding is not None
            return estimate.finding.cpu().double()

        undisturbed, parts = finding(x, y), cells(*x.shape[-2:])
        step = CONTRAST * direction(x)
        values = torch.zeros(x.shape[-2:], dtype=torch.float64)
        for some in parts.split(BATCH):
            change = some[:, None] * step
            physics = physics_for(problem, repeated(params, len(some)), device)
            moved = physics.A(change.to(device, torch.float32)).cpu()
            difference = finding(x + change, y + moved) - undisturbed
            values += (difference.abs().flatten(1).sum(1)[:, None, None] * some).sum(0) / CONTRAST
        mask = region(x, targets([sample]))
        yield SensitivityMap(name, x, undisturbed, values, mask)


def cells(height: int, width: int) -> Tensor:
    """The cells of the grid, one each in (n, H, W): ones inside, zeros elsewhere; together they cover the image."""
    rows, columns = (torch.arange(side) * CELLS // side for side in (height, width))
    number = (rows[:, None] * CELLS + columns).flatten()
    return torch.nn.functional.one_hot(number, CELLS**2).T.reshape(-1, height, width).double()


def direction(x: Tensor) -> Tensor:
    """An object of the range of x (1, C, H, W), and of the phase of x where that is complex."""
    if x.shape[1] == 1:
        return torch.full_like(x, float(x.max() - x.min()))
    magnitude = x.square().sum(1, keepdim=True).sqrt()
    phase = torch.where(
        magnitude > 0, x / magnitude.clamp(min=1e-30), torch.eye(2, dtype=x.dtype)[0].reshape(1, 2, 1, 1)
    )
    return phase * (magnitude.max() - magnitude.min())


def repeated(params: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: value.expand(count, *value.shape[1:]) for name, value in params.items()}


def save(maps: list[SensitivityMap], path: Path) -> None:
    """Write x, the finding and the map of each image as a row of an 8-bit PNG; x is dark outside of the region."""
    from PIL import Image

    rows = []
    for one in maps:
        x = plane(one.x)
        x = (x - x.min()) * 255 / max(float(np.ptp(x)), 1e-12)
        shaded = np.where(one.region.numpy(), x, x / 2)
        sensitivity = one.values.numpy() * 255 / max(float(one.values.max()), 1e-12)
        rows.append(np.hstack([shaded, labels(one.finding), sensitivity]))
    sheet = np.vstack(rows).clip(0, 255).repeat(ZOOM, 0).repeat(ZOOM, 1)
    Image.fromarray(sheet.round().astype(np.uint8)).save(path)
