"""How fast is BM3D? CPU times of its authors' program over ours at an equal PSNR, taken in turns on one thread.

A photograph of 256 x 256 pixels, σ = 25/255.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from skimage.data import camera

from baselines.handcrafted.bm3d import bm3d
from tests.benchmarks.timing import Row, alternate

SIGMA = 25 / 255
ROUNDS = 3


def main() -> list[Row]:
    try:
        import bm3d as package
    except ImportError:
        return [("bm3d: skipped, the package bm3d is not installed (non-commercial licence)", math.nan, "")]
    x = camera()[100:356, 100:356] / 255
    y = x + SIGMA * np.random.default_rng(0).standard_normal(x.shape)
    tensor, sigma = torch.from_numpy(y).float()[None, None], torch.tensor([SIGMA])
    profile = package.BM3DProfile()
    profile.num_threads = 1

    def psnr(x_hat: np.ndarray) -> float:
        return -10 * math.log10(np.mean((x_hat.squeeze() - x) ** 2))

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        calls = {"ours": lambda: bm3d(tensor, sigma).numpy(), "package": lambda: package.bm3d(y, SIGMA, profile)}
        ours, theirs = (psnr(np.asarray(call())) for call in calls.values())
        seconds = alternate(calls, ROUNDS)
    finally:
        torch.set_num_threads(threads)
    return [
        ("bm3d: package / ours", seconds["package"] / seconds["ours"], "at least 3"),
        (f"bm3d: PSNR of ours less {theirs:.2f} dB of the package", ours - theirs, "at least -0.2"),
    ]
