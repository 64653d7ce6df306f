"""How fast is total variation denoising? CPU times of two libraries over ours, each to one objective, on one thread.

A batch of 8 photographs of 256 x 256 pixels, σ = 25/255. Each program is given the fewest iterations, to a tenth, with
which its objective ½‖x − y‖² + λ TV(x) is within a thousandth of the minimum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from deepinv.models import TVDenoiser
from deepinv.physics import Denoising
from skimage import data
from skimage.restoration import denoise_tv_chambolle
from torch import Tensor

from baselines.handcrafted.tv import TV
from baselines.transforms.finite_differences import gradient, magnitude
from tests.benchmarks.timing import Row, alternate, threads

SIGMA, LAM, SIDE, BATCH = 25 / 255, 0.07, 256, 8
CLOSE = 1e-3
MOST = 20_000  # iterations
ROUNDS = 3


def main() -> list[Row]:
    with threads(1):
        return compare()


def compare() -> list[Row]:
    scene = data.camera() / 255
    rng = np.random.default_rng(0)
    crops = [scene[i : i + SIDE, j : j + SIDE] for i in (0, 90, 170, 256) for j in (100, 200)]
    y = torch.from_numpy(np.stack(crops)[:, None] + SIGMA * rng.standard_normal((BATCH, 1, SIDE, SIDE))).float()
    physics = Denoising()

    def ours(iterations: int) -> Tensor:
        return TV(LAM, iterations=iterations)(y, physics)

    def deepinv(iterations: int) -> Tensor:
        return TVDenoiser(n_it_max=iterations, crit=0)(y, LAM)  # a new one: it starts from its last image

    def scikit_image(iterations: int) -> Tensor:
        images = [denoise_tv_chambolle(image, LAM, eps=0, max_num_iter=iterations) for image in y[:, 0].numpy()]
        return torch.from_numpy(np.stack(images))[:, None]

    def objective(x: Tensor) -> float:
        x = x.double()
        return float(0.5 * (x - y).square().sum() + LAM * magnitude(gradient(x)).sum())

    target = (1 + CLOSE) * objective(ours(2000))
    programs = {"ours": ours, "deepinv": deepinv, "scikit-image": scikit_image}
    needed = {name: fewest(lambda n, p=program: objective(p(n)) <= target) for name, program in programs.items()}
    seconds = alternate({name: lambda p=p, n=needed[name]: p(n) for name, p in programs.items()}, ROUNDS)
    return [
        (f"TV denoising: {name} ({needed[name]}) / ours ({needed['ours']} iterations)", ratio, f"at least {least}")
        for name, least in (("deepinv", 10), ("scikit-image", 2))
        for ratio in [seconds[name] / seconds["ours"]]
    ]


def fewest(reached: Callable[[int], bool]) -> int:
    """The least n with ``reached``, to a tenth."""
    n = 8
    while not reached(n):
        if n > MOST:
            raise RuntimeError(f"not reached in {MOST} iterations")
        n = -(-n * 11 // 10)
    return n
