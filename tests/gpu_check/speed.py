"""The speed table: ratios to peers on the same device in the same run, with the goals that hold on a card.

On a machine without a GPU the same ratios are told on one thread; the goals of the CPU are those of `make bench`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from deepinv.physics import Denoising, Tomography
from skimage.data import camera
from torch import Tensor

from baselines.handcrafted.bm3d import bm3d
from baselines.handcrafted.tv import TV
from tasks.physics.ct import CT
from tasks.physics.projector import Geometry
from tests.gpu_check.clock import seconds_each
from tests.gpu_check.plain_tv import plain_tv
from tests.gpu_check.plan import Plan
from tests.gpu_check.report import FAILED, OK, Row, compared

SIGMA = 25 / 255
LAM, ITERATIONS = 0.07, 150
SAME = 1e-4  # largest difference of TV's image from the plain loop's: single precision, 150 iterations
ITERATED = 10  # products of a network

# Goals on a card
CT_A, CT_ADJOINT, CT_READ = 8.0, 30.0, 4.0
TV_PLAIN = 5.0
BM3D_BATCH = 3.0
BM3D_BATCH_CPU = 8.0  # on a processor


def rows(plan: Plan) -> Iterator[Row]:
    torch.set_num_threads(1)
    device, short = plan.device, plan.short
    size, views = (64, 20) if short else (256, 60)
    yield from ct(device, size, views, 2 if short else 8)
    yield from tv(device, size, (1,) if short else (1, 8))
    yield from blocks(device, size, 2 if short else 8)


def goal(device: str, good: Callable[[float], bool]) -> Callable[[float], bool] | None:
    return good if device == "cuda" else None


def ct(device: str, size: int, views: int, batch: int) -> Iterator[Row]:
    """A and Aᵀ against deepinv's, and against reading the stored matrix once; and both with a backward pass.

    A backward pass follows one product, or ten, as in a network of ten iterations: to call autograd takes its time.
    """
    geometry = Geometry.parallel(size, views)
    ours = CT(geometry, device=device)
    degrees = torch.rad2deg(torch.tensor(geometry.angles)).float().to(device)
    theirs = Tomography(angles=degrees, img_width=size, circle=False, normalize=False, device=device)
    x = torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        y, their_y = ours.A(x), theirs.A(x)
    stored = torch.ones(2 * ours.matrix.matrix.nnz, device=device)  # a weight and an index, four bytes each
    at = f"batch {batch}, {size}x{size}, {views} views"
    with torch.no_grad():
        seconds = seconds_each(
            {
                "A": lambda: ours.A(x),
                "A^T": lambda: ours.A_adjoint(y),
                "their A": lambda: theirs.A(x),
                "their A^T": lambda: theirs.A_adjoint(their_y),
                "read": lambda: stored.sum(),
            },
            device,
        )
    products = {"A": (ours.A, x), "A^T": (ours.A_adjoint, y), "their A": (theirs.A, x)}
    products["their A^T"] = (theirs.A_adjoint, their_y)
    passes = {
        count: seconds_each({name: both_ways(*one, count) for name, one in products.items()}, device)
        for count in (1, ITERATED)
    }
    for name, least in (("A", CT_A), ("A^T", CT_ADJOINT)):
        for kind, times, judged in (
            ("", seconds, True),
            (" and a backward pass", passes[1], False),
            (f", {ITERATED} times, and a backward pass", passes[ITERATED], True),
        ):
            ratio = times[f"their {name}"] / times[name]
            shown = f"{ratio:.3g}x deepinv's speed ({ms(times[name])} against {ms(times[f'their {name}'])})"
            good = goal(device, over(least)) if judged else None
            yield compared(f"CT {name}{kind}, {at}", ratio, shown, f"at least {least:g}x", good)
        ratio = seconds[name] / seconds["read"]
        shown = f"{ratio:.3g}x the time of reading the matrix once ({ms(seconds['read'])})"
        yield compared(f"CT {name}, {at}", ratio, shown, f"at most {CT_READ:g}x", goal(device, under(CT_READ)))


def both_ways(function: Callable[[Tensor], Tensor], argument: Tensor, count: int) -> Callable[[], object]:
    """The function under autograd, ``count`` times, and the gradient of the sum of its squares."""
    variables = [argument.clone().requires_grad_() for _ in range(count)]

    def call() -> object:
        out = [function(one) for one in variables]
        return torch.autograd.grad(out, variables, [one.detach() for one in out])

    return call


def tv(device: str, size: int, batches: tuple[int, ...]) -> Iterator[Row]:
    method, physics = TV(LAM, iterations=ITERATIONS), Denoising().to(device)
    for batch in batches:
        y = noisy(size, batch, device)
        calls = {"ours": lambda y=y: method(y, physics), "plain": lambda y=y: plain_tv(y, LAM, ITERATIONS)}
        apart = float((calls["ours"]() - calls["plain"]()).abs().max())
        at = f"TV denoising, batch {batch}, {size}x{size}, {ITERATIONS} iterations"
        yield Row(OK if apart <= SAME else FAILED, at, f"image differs by {apart:.1e} from the plain loop's", f"{SAME}")
        seconds = seconds_each(calls, device)
        ratio = seconds["plain"] / seconds["ours"]
        shown = f"{ms(seconds['ours'])}, {ratio:.3g}x the speed of a plain loop ({ms(seconds['plain'])})"
        yield compared(
            at, ratio, shown, f"at least {TV_PLAIN:g}x", goal(device, over(TV_PLAIN)) if batch == 1 else None
        )


def blocks(device: str, size: int, batch: int) -> Iterator[Row]:
    sigma = torch.full((batch,), SIGMA, device=device)
    y = noisy(size, batch, device)
    with torch.no_grad():
        seconds = seconds_each({"one": lambda: bm3d(y[:1], sigma[:1]), "all": lambda: bm3d(y, sigma)}, device)
    ratio = seconds["all"] / seconds["one"]
    most = BM3D_BATCH if device == "cuda" else BM3D_BATCH_CPU
    shown = f"{ms(seconds['one'])} and {ms(seconds['all'])}: {ratio:.3g}x"
    good = under(most) if batch == 8 else None
    yield compared(f"BM3D, batch 1 and {batch}, {size}x{size}", ratio, shown, f"at most {most:g}x", good)


def noisy(size: int, batch: int, device: str) -> Tensor:
    """Crops of a photograph with white noise, (batch, 1, size, size)."""
    scene, rng = camera() / 255, np.random.default_rng(0)
    crops = [scene[i : i + size, i : i + size] for i in range(0, 32 * batch, 32)]
    images = np.stack(crops)[:, None] + SIGMA * rng.standard_normal((batch, 1, size, size))
    return torch.from_numpy(images).float().to(device)


def over(least: float) -> Callable[[float], bool]:
    return lambda ratio: ratio >= least


def under(most: float) -> Callable[[float], bool]:
    return lambda ratio: ratio <= most


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
