"""How fast is BM3D? Its authors' program over ours, by processor time on one thread, and eight images over one.

A photograph of 256 x 256 pixels, σ = 25/255. Eight images are worked on by two threads, one image each.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from skimage.data import camera
from torch import Tensor

from baselines.handcrafted.bm3d import bm3d
from tests.benchmarks.timing import Row, paired_ratio, threads

SIGMA = 25 / 255
ROUNDS = 3


def main() -> list[Row]:
    x = camera()[100:356, 100:356] / 255
    y = x + SIGMA * np.random.default_rng(0).standard_normal(x.shape)
    tensor = torch.from_numpy(y).float()[None, None]
    with threads(1):
        rows = compare(x, y, tensor)
    with threads(2):
        return [*rows, batches(tensor)]


def compare(x: np.ndarray, y: np.ndarray, tensor: Tensor) -> list[Row]:
    try:
        import bm3d as package
    except ImportError:
        return [("bm3d: skipped, the package bm3d is not installed (non-commercial licence)", math.nan, "")]
    profile = package.BM3DProfile()
    profile.num_threads = 1
    sigma = torch.tensor([SIGMA])

    def ours() -> np.ndarray:
        return bm3d(tensor, sigma).numpy()

    def theirs() -> np.ndarray:
        return np.asarray(package.bm3d(y, SIGMA, profile))

    def psnr(x_hat: np.ndarray) -> float:
        return -10 * math.log10(np.mean((x_hat.squeeze() - x) ** 2))

    reference = psnr(theirs())
    return [
        ("bm3d: package / ours", paired_ratio(theirs, ours, ROUNDS, time.process_time), "at least 5"),
        (f"bm3d: PSNR of ours less {reference:.2f} dB of the package", psnr(ours()) - reference, "at least -0.03"),
    ]


def batches(tensor: Tensor) -> Row:
    eight, sigma = tensor.repeat(8, 1, 1, 1), torch.full((8,), SIGMA)
    ratio = paired_ratio(lambda: bm3d(eight, sigma), lambda: bm3d(tensor, sigma[:1]), ROUNDS)
    return "bm3d: batch 8 / batch 1, on two cores", ratio, "at most 8"
