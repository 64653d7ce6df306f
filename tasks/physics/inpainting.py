"""Inpainting: ``y = m · x`` with a mask ``m`` of zeros and ones.

x, y: (B, C, H, W); m: (B, 1, H, W) or (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import deepinv.physics
import torch
from deepinv.physics.noise import NoiseModel
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from bench.cuda_graphs import aside, attempted, record, try_once
from bench.settings import records
from tasks.physics.placing import put_on

TOLERANCE = 1e-4  # relative residual of the harmonic interpolation
ITERATIONS = 500
LOOK_EVERY = 10  # iterations between looks at the residual on a GPU, each of which waits for it; divides ITERATIONS

System = tuple[Tensor, Tensor]  # the known pixels (B, C, H, W) and the square of the residual that will do (B, C, 1, 1)
State = tuple[Tensor, Tensor, Tensor, Tensor]  # x, residual, direction, and the square of the residual (B, C, 1, 1)


class Inpainting(deepinv.physics.Inpainting):
    """deepinv's operator (adjoint, ``prox_l2`` and pseudo-inverse in closed form) with interpolation as ``direct``."""

    operator_norm = 1.0

    def __init__(self, mask: Tensor, noise_model: NoiseModel | None = None, device: torch.device | str = "cpu"):
        if mask.ndim != 4:
            raise ValueError(f"expected a mask (B, 1, H, W) or (B, C, H, W), got {tuple(mask.shape)}")
        super().__init__(img_size=tuple(mask.shape[1:]))
        self.mask = mask.to(device)
        put_on(self, noise_model, device)

    def direct(self, y: Tensor) -> Tensor:
        """Harmonic interpolation of the unknown pixels; the known ones stay as measured."""
        return harmonic(y, self.mask.expand_as(y))


def harmonic(y: Tensor, mask: Tensor) -> Tensor:
    """Solves Laplace's equation where ``mask`` is 0 with ``y`` where it is 1 and no flux through the image's border.

    Five-point stencil, conjugate gradients from `pull_push`. T. F. Chan and J. Shen, Mathematical Models for Local
    Nontexture Inpaintings, SIAM J. Appl. Math. 62(3), 2002.
    """
    if recordable(y) and (recorded := recording(y.shape, y.dtype, y.device)):
        return recorded.solve(y, mask > 0)
    system, state = beginning(y, mask > 0)
    at_once = 1 if y.is_cpu else LOOK_EVERY
    for _ in range(ITERATIONS // at_once):
        if not unfinished(system, state).any():
            break
        state = iterated(at_once, system, state)
    return state[0]


def recordable(y: Tensor) -> bool:
    return y.is_cuda and not y.requires_grad and not torch.compiler.is_compiling() and records()


def beginning(y: Tensor, known: Tensor) -> tuple[System, State]:
    """What conjugate gradients solve, and from where."""
    x = pull_push(y, known)
    residual = torch.where(known, 0, _laplacian(x))
    square = _dot(residual, residual)
    return (known, TOLERANCE**2 * square), (x, residual, residual, square)


def iterated(times: int, system: System, state: State) -> State:
    """The state after some iterations."""
    for _ in range(times):
        state = iteration(system, state)
    return state


def iteration(system: System, state: State) -> State:
    """An iteration of conjugate gradients.

    An image that has converged is left alone, so that its result does not depend on the rest of the batch.
    """
    (known, _), (x, residual, direction, square) = system, state
    active = unfinished(system, state)
    applied = torch.where(known, 0, -_laplacian(direction))
    step = torch.where(active, square / _dot(direction, applied), 0)
    x = x + step * direction
    residual = residual - step * applied
    last, square = square, torch.where(active, _dot(residual, residual), square)
    direction = residual + torch.where(active, square / last, 0) * direction
    return x, residual, direction, square


def unfinished(system: System, state: State) -> Tensor:
    """The images (B, C, 1, 1) whose residual is still too large."""
    return state[3] > system[1]


@lru_cache(maxsize=4)  # the images of a training, and of its validation
def recording(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Recording | None:
    """The recording for images of a shape, made on its first use; None, with a warning, where that fails."""
    with torch.inference_mode(False), torch.no_grad():
        without = "harmonic interpolation is slower on this GPU, which records no graph"
        return attempted(lambda: Recording(shape, dtype, device), without)


class Recording:
    """The beginning and some iterations, each as a CUDA graph."""

    def __init__(self, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> None:
        self.y = torch.zeros(shape, dtype=dtype, device=device)
        self.known = self.y.bool()
        self.left = self.y.new_zeros((), dtype=torch.bool)
        self.seen = torch.zeros(2, dtype=torch.bool, pin_memory=torch.cuda.is_available())
        self.arrived = torch.cuda.Event(), torch.cuda.Event()
        with aside(device):
            try_once(lambda: self.iterate(*beginning(self.y, self.known)))
            self.begin, (self.system, self.state) = record(lambda: self.fresh(*beginning(self.y, self.known)))
            self.advance, _ = record(lambda: self.iterate(self.system, self.state), self.begin.pool())

    @staticmethod
    def fresh(system: System, state: State) -> tuple[System, State]:
        """With tensors for the state that are nowhere else: iterations write to them."""
        x, residual, direction, square = state
        return system, (x.clone(), residual, direction.clone(), square)

    def iterate(self, system: System, state: State) -> None:
        """Some iterations, in place; ``left``, whether more are needed."""
        put(state, iterated(LOOK_EVERY, system, state))
        self.left.copy_(unfinished(system, state).any())

    def solve(self, y: Tensor, known: Tensor) -> Tensor:
        """The result. The device goes on while the process waits to hear whether the iterations before were enough.

        Those that were too many change nothing.
        """
        put((self.y, self.known), (y, known))
        self.begin.replay()
        for number in range(ITERATIONS // LOOK_EVERY):
            self.advance.replay()
            self.seen[number % 2].copy_(self.left, non_blocking=True)
            self.arrived[number % 2].record()
            if number:
                self.arrived[1 - number % 2].synchronize()
                if not self.seen[1 - number % 2]:
                    break
        return self.state[0].clone()


def put(to: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
    for one, tensor in zip(to, tensors, strict=True):
        one.copy_(tensor)


def pull_push(y: Tensor, known: Tensor) -> Tensor:
    """Fills the unknown pixels from means of the known ones at ever coarser scales.

    S. J. Gortler et al., The Lumigraph, SIGGRAPH 1996, sec. 3.4.
    """
    if y.is_cpu and known.all():  # elsewhere it would be waited for
        return y
    if min(y.shape[-2:]) == 1:
        weight = known.to(y)
        mean = (weight * y).sum((-2, -1), keepdim=True) / weight.sum((-2, -1), keepdim=True).clamp(min=1)
        return torch.where(known, y, mean)
    share = avg_pool2d(known.to(y), 2, ceil_mode=True)
    mean = avg_pool2d(known * y, 2, ceil_mode=True) / torch.where(share > 0, share, 1)
    coarse = pull_push(mean, share > 0)
    return torch.where(known, y, interpolate(coarse, size=y.shape[-2:], mode="bilinear", align_corners=False))


def _laplacian(x: Tensor) -> Tensor:
    down, right = x.diff(dim=-2), x.diff(dim=-1)
    pad = torch.nn.functional.pad
    out = pad(down, (0, 0, 0, 1))
    out[..., 1:, :] -= down
    out[..., :-1] += right
    out[..., 1:] -= right
    return out


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)
