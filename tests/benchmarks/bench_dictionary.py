"""How fast are sparse codes and dictionary learning? Times of scikit-learn over ours, in turns on one thread.

A photograph of 256 x 256 pixels, σ = 25/255, 20,000 of its patches of 8 x 8 pixels, 256 atoms. Both code until the
error is that of the noise. To learn, scikit-learn has the faster of its two algorithms, in which ℓ1 takes the place of
OMP; its dictionary and ours then denoise the photograph the same way.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from skimage.data import camera

from baselines.dictionary import cosines, ksvd
from baselines.dictionary_denoiser import ATOMS, ITERATIONS, LAMBDA, LEARNED, SIDE, C, Learner, denoise, less_mean
from baselines.patches import some_patches
from baselines.sparse_coding import coefficients
from tests.benchmarks.timing import Row, alternate

SIGMA = 25 / 255
PENALTY = 3.0  # of ℓ1 over σ: 2 takes four times longer and its dictionary is 0.15 dB worse
EPOCHS = 1  # over the patches


def main() -> list[Row]:
    try:
        from sklearn.decomposition import MiniBatchDictionaryLearning
        from sklearn.linear_model import orthogonal_mp_gram
    except ImportError:
        return [("dictionary: skipped, scikit-learn is not installed", math.nan, "")]
    x = torch.from_numpy(camera()[100:356, 100:356] / 255).float()
    y = x + SIGMA * torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape)).float()
    sigma, side = torch.tensor(SIGMA), SIDE[2]
    X = less_mean(some_patches(y, side, LEARNED))[0]
    start, error = cosines(side, 2, ATOMS), C * side * SIGMA

    def their_codes() -> np.ndarray:
        energy = X.square().sum(1)
        coded = X[energy > error**2].numpy()
        gram, D = (start @ start.T).numpy(), start.numpy()
        return orthogonal_mp_gram(gram, D @ coded.T, tol=error**2, norms_squared=(coded**2).sum(1))

    def our_dictionary() -> torch.Tensor:
        learner = Learner(ksvd, SIDE, ATOMS, ITERATIONS, LAMBDA)
        learner.dictionaries, learner.errors = [start], [[]]
        learner.learn(0, y, sigma)
        return learner.dictionaries[0]

    def their_dictionary() -> torch.Tensor:
        learner = MiniBatchDictionaryLearning(
            ATOMS,
            alpha=PENALTY * SIGMA,
            max_iter=EPOCHS,
            dict_init=start.numpy(),
            transform_algorithm="omp",
            random_state=0,
        )
        D = torch.from_numpy(learner.fit(X.numpy()).components_).float()
        return D / D.norm(dim=1, keepdim=True).clamp(min=1e-6)

    def psnr(D: torch.Tensor) -> float:
        return -10 * math.log10((denoise(y[None, None], sigma[None], [D], LAMBDA)[0, 0] - x).square().mean())

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        coding = alternate({"ours": lambda: coefficients(start, X, side**2 // 2, error), "theirs": their_codes}, 2)
        learning = alternate({"ours": our_dictionary, "theirs": their_dictionary}, 1)
        ours, theirs, unlearned = psnr(our_dictionary()), psnr(their_dictionary()), psnr(start)
    finally:
        torch.set_num_threads(threads)
    return [
        ("dictionary: coding, scikit-learn / ours", coding["theirs"] / coding["ours"], "at least 2"),
        ("dictionary: learning, scikit-learn / ours", learning["theirs"] / learning["ours"], "at least 4"),
        (f"dictionary: PSNR of ours less {theirs:.2f} dB of scikit-learn", ours - theirs, "at least 0"),
        (f"dictionary: PSNR of ours less {unlearned:.2f} dB of cosines", ours - unlearned, "above 0"),
    ]
