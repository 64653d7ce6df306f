"""How fast are sparse codes and dictionary learning? Times of scikit-learn over ours, in turns on one thread.

Learning takes seconds, so its ratio is the median of pairs by processor time: other work on the machine moves it less.

A photograph of 256 x 256 pixels, σ = 25/255, 256 atoms of 8 x 8 pixels that start as cosines. Both code 20,000 patches
until the error is that of the noise.

A dictionary is as good as the photograph that it denoises, and both denoise the same way. Ours, K-SVD, learns from the
20,000 patches. scikit-learn's is the faster of its two algorithms, with ℓ1 in place of OMP, and the fastest that has
our PSNR, 29.94 dB, of twenty choices of patches, penalty and size of batches. Others trade one for the other: 12,000
patches, a penalty of 4 and batches of 512 give 29.97 dB in 1.4 times the time; 7,000, 4 and 256 give 29.83 dB.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from skimage.data import camera

from baselines.patches.dictionary import cosines, ksvd
from baselines.patches.dictionary_denoiser import (
    ATOMS,
    ITERATIONS,
    LAMBDA,
    LEARNED,
    SIDE,
    C,
    Learner,
    denoise,
)
from baselines.patches.patches import less_mean, some_patches
from baselines.patches.sparse_coding import coefficients
from tests.benchmarks.timing import Row, alternate, paired_ratio, threads

SIGMA = 25 / 255
PATCHES, BATCH, PENALTY = 14_000, 1024, 5.0  # of scikit-learn: once over the patches; the penalty is over σ


def main() -> list[Row]:
    try:
        from sklearn.decomposition import MiniBatchDictionaryLearning
        from sklearn.linear_model import orthogonal_mp_gram
        from threadpoolctl import threadpool_limits
    except ImportError:
        return [("dictionary: skipped, scikit-learn is not installed", math.nan, "")]
    x = torch.from_numpy(camera()[100:356, 100:356] / 255).float()
    y = x + SIGMA * torch.from_numpy(np.random.default_rng(0).standard_normal(x.shape)).float()
    sigma, side = torch.tensor(SIGMA), SIDE[2]
    X, fewer = (less_mean(some_patches(y, side, count))[0] for count in (LEARNED, PATCHES))
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
            batch_size=BATCH,
            max_iter=1,
            dict_init=start.numpy(),
            transform_algorithm="omp",
            random_state=0,
        )
        D = torch.from_numpy(learner.fit(fewer.numpy()).components_).float()
        return D / D.norm(dim=1, keepdim=True).clamp(min=1e-6)

    def psnr(D: torch.Tensor) -> float:
        return -10 * math.log10((denoise(y[None, None], sigma[None], [D], LAMBDA)[0, 0] - x).square().mean())

    with threadpool_limits(1), threads(1):
        coding = alternate(
            {"ours": lambda: coefficients(start, X, side**2 // 2, error).to_dense(), "theirs": their_codes}, 2
        )
        learning = paired_ratio(their_dictionary, our_dictionary, clock=time.process_time)
        ours, theirs, unlearned = psnr(our_dictionary()), psnr(their_dictionary()), psnr(start)
    return [
        ("dictionary: coding, scikit-learn / ours", coding["theirs"] / coding["ours"], "at least 2"),
        ("dictionary: learning at equal PSNR, scikit-learn / ours", learning, "at least 4"),
        (f"dictionary: PSNR of ours less {theirs:.2f} dB of scikit-learn", ours - theirs, "at least -0.05"),
        (f"dictionary: PSNR of ours less {unlearned:.2f} dB of cosines", ours - unlearned, "above 0"),
    ]
