"""How fast is BM3D? Its authors' program over ours, by processor time on one thread, and eight images over one.

A photograph of 256 x 256 pixels, σ = 25/255. Eight images are worked on by two threads, one image each. PSNR is that
of the twelve photographs that `denoising:mini` tests on: on single ones the two differ by up to 0.12 dB.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from skimage.data import camera
from torch import Tensor

from baselines.handcrafted.bm3d import bm3d
from tasks.datasets.photographs import photographs
from tests.benchmarks.timing import Row, paired_ratio, threads

SIGMA = 25 / 255
ROUNDS = 3


def main() -> list[Row]:
    y = noisy(camera()[100:356, 100:356] / 255)
    with threads(1):
        rows = compare(y)
    with threads(2):
        return [*rows, batches(as_batch(y))]


def compare(y: np.ndarray) -> list[Row]:
    try:
        import bm3d as package
    except ImportError:
        return [("bm3d: skipped, the package bm3d is not installed (non-commercial licence)", math.nan, "")]
    profile = package.BM3DProfile()
    profile.num_threads = 1

    def ours(y: np.ndarray) -> np.ndarray:
        return bm3d(as_batch(y), torch.tensor([SIGMA])).numpy()[0, 0]

    def theirs(y: np.ndarray) -> np.ndarray:
        return np.asarray(package.bm3d(y, SIGMA, profile)).reshape(y.shape)

    images = photographs()["test"]
    found = {method: [psnr(method(noisy(x)), x) for x in map(images.load, images.ids)] for method in (ours, theirs)}
    reference, difference = np.mean(found[theirs]), np.mean(found[ours]) - np.mean(found[theirs])
    ratio = paired_ratio(lambda: theirs(y), lambda: ours(y), ROUNDS, time.process_time)
    return [
        ("bm3d: package / ours", ratio, "at least 5"),
        (f"bm3d: PSNR of ours less {reference:.2f} dB of the package", float(difference), "at least -0.03"),
    ]


def noisy(x: np.ndarray) -> np.ndarray:
    return x + SIGMA * np.random.default_rng(0).standard_normal(x.shape)


def as_batch(y: np.ndarray) -> Tensor:
    return torch.from_numpy(y).float()[None, None]


def psnr(x_hat: np.ndarray, x: np.ndarray) -> float:
    return -10 * math.log10(np.mean((x_hat - x) ** 2))


def batches(tensor: Tensor) -> Row:
    eight, sigma = tensor.repeat(8, 1, 1, 1), torch.full((8,), SIGMA)
    ratio = paired_ratio(lambda: bm3d(eight, sigma), lambda: bm3d(tensor, sigma[:1]), ROUNDS)
    return "bm3d: batch 8 / batch 1, on two cores", ratio, "at most 8"
