"""min_{x, α} λ‖x − y‖² + Σ_i ‖R_i x − m_i − Dᵀα_i‖²,   α_i the sparsest code with ‖R_i y − m_i − Dᵀα_i‖ ≤ Cσ√n

Each overlapping patch R_i y of n pixels, without its mean m_i, has a sparse code over a dictionary D. The error of the
code is as large as the noise. x is the average of all coded patches and of y. D is learned from the noisy image itself
or from training images.

Inside of a splitting (`baselines.solvers.plug_and_play`) λ is zero, since the data term holds x to the measurement.
With a dictionary that goes on learning at every step, this is dictionary learning MRI for any operator.

M. Elad, M. Aharon, Image denoising via sparse and redundant representations over learned dictionaries, IEEE TIP 2006.
S. Ravishankar, Y. Bresler, MR image reconstruction from highly undersampled k-space data by dictionary learning,
IEEE TMI 2011.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.networks.normalisation import rms
from baselines.patches.dictionary import Found, Update, cosines, learn, replace, residual
from baselines.patches.patches import add_up, cover, less_mean, patches, pictures, some_patches, windows
from baselines.patches.sparse_coding import approximations, coefficients
from baselines.solvers.plug_and_play import PlugAndPlay
from baselines.solvers.trained_denoiser import TrainedDenoiser

C = 1.15  # Elad and Aharon 2006
LEARNING = 1.3  # C while learning from a noisy image; 0.11 dB above 1.15 on three validation images of BSD400, σ = 25
LAMBDA = 30 / 115  # λσ of images with an rms of one; Elad and Aharon: 30, at an rms of 115 of 255 grey values
SIDE, ATOMS = {2: 8, 3: 4}, 256  # side of a patch, by the dimensions of an image, and K, as Elad and Aharon in 2D
SPLIT_SIDE, SPLIT_ATOMS = (
    {2: 6, 3: 4},
    128,
)  # the same for a dictionary that learns inside of a splitting, set by hand for speed
MOST = 2  # a patch has at most n / MOST atoms; set by hand
LEARNED = 20_000  # at most so many patches of an image are learned from; set by hand
ITERATIONS = 10  # of learning from a noisy image, set by hand; one at each step of a splitting
SPARSITY = 6  # atoms of a patch while learning from training images, as Elad and Aharon
WINDOW, FRESH = 10_000, 1_000  # patches that a training step learns from, and the new ones of them; set by hand


class DictionaryDenoiser(PlugAndPlay):
    """Subclasses name the ``update`` of the dictionary."""

    @staticmethod
    def update(D: Tensor, codes: Tensor, R: Tensor) -> Found:
        """A better dictionary, its codes and their residual (`baselines.patches.dictionary`)."""
        raise NotImplementedError


class SelfTrainedDictionary(DictionaryDenoiser):
    """The dictionary is learned from the measurement, of each channel by itself."""

    def __init__(self, sigma: float = 0.02, start: float = 0.3, iterations: int | None = None) -> None:
        super().__init__(sigma, start, iterations)
        self.learner = self.begin()  # holds the dictionary of the last reconstruction

    def begin(self) -> Learner:
        self.learner = Learner(self.update, SPLIT_SIDE, SPLIT_ATOMS, 1, 0.0)
        return self.learner

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        self.learner = Learner(self.update, SIDE, ATOMS, ITERATIONS, LAMBDA)
        return self.learner(x, sigma)

    def convergence(self, y: Tensor, physics: LinearPhysics) -> list[float]:
        """Mean square error of the codes after each iteration of learning; inside of a splitting it falls with σ_k."""
        self(y, physics)
        return torch.tensor(self.learner.errors).mean(0).tolist()

    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The dictionary of the first channel of the first image, (K, h, w); in 3D the middle slices of its atoms."""
        self(y, physics)
        D = self.learner.dictionaries[0]
        return {"dictionary": pictures(D, side_of(D, physics.A_adjoint(y).ndim - 2))}


class Learner:
    """Denoises images (B, 1, ...) by a dictionary each, which it learns and keeps."""

    def __init__(self, update: Update, sides: Mapping[int, int], atoms: int, iterations: int, lam: float) -> None:
        self.update = update
        self.sides = sides
        self.atoms = atoms
        self.iterations = iterations
        self.lam = lam
        self.dictionaries: list[Tensor] = []
        self.errors: list[list[float]] = []  # mean square error of each image after each iteration

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        dims = x.ndim - 2
        side = self.sides[dims]
        images = x[:, 0]
        if not self.dictionaries:
            atoms = min(self.atoms, windows(images[0], side).shape[:dims].numel())
            self.dictionaries = [cosines(side, dims, atoms).to(x) for _ in x]
            self.errors = [[] for _ in x]
        for i, (image, level) in enumerate(zip(images, sigma, strict=True)):
            self.learn(i, image, level)
        return denoise(x, sigma, self.dictionaries, self.lam)

    def learn(self, i: int, image: Tensor, sigma: Tensor) -> None:
        D = self.dictionaries[i]
        n = D.shape[1]
        X = less_mean(some_patches(image, self.sides[image.ndim], LEARNED))[0]
        for _ in range(self.iterations):
            codes = coefficients(D, X, n // MOST, LEARNING * n**0.5 * sigma)
            D, codes, R = replace(*self.update(D, codes, residual(D, codes, X)), X)
            self.errors[i].append(float(R.square().mean()))
        self.dictionaries[i] = D


class TrainedDictionary(DictionaryDenoiser, TrainedDenoiser):
    """The dictionary is learned from training images: a few hundred steps suffice."""

    D: Tensor  # (K, n)

    def __init__(self, dims: int = 2, sigma: float = 0.03, start: float = 0.3, iterations: int | None = None) -> None:
        super().__init__(sigma, start, iterations)
        self.dims = dims
        self.register_buffer("D", cosines(SIDE[dims], dims, ATOMS))
        self.window: tuple[Tensor, Tensor] | None = None  # patches and their codes, only in training

    def learn(self, x: Tensor) -> Tensor:
        """One iteration on the latest patches; returns their mean square error, ()."""
        side = SIDE[self.dims]
        fresh = torch.cat([less_mean(patches(image, side))[0] for image in x[:, 0]])
        fresh = fresh[torch.randperm(len(fresh), device=x.device)[: FRESH if self.window else WINDOW]]
        X, codes = self.window or (fresh[:0], fresh.new_zeros(len(self.D), 0).to_sparse())
        X = torch.cat([X, fresh])[-WINDOW:]
        codes = torch.cat([codes, fresh.new_zeros(len(self.D), len(fresh)).to_sparse()], 1)
        codes = codes.narrow_copy(1, codes.shape[1] - len(X), len(X))
        D, codes, R = learn(self.D, codes, X, self.update, SPARSITY)
        self.D.copy_(D)
        self.window = X, codes
        return R.square().mean()

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(x, sigma, [self.D] * len(x), LAMBDA)

    def denoise_once(self, x: Tensor, sigma: Tensor) -> Tensor:
        return denoise(x, sigma, [self.D] * len(x), 0.0)

    def atoms(self, y: Tensor, physics: LinearPhysics) -> Mapping[str, Tensor]:
        """The dictionary, (K, h, w); in 3D the middle slices of its atoms."""
        return {"dictionary": pictures(self.D, SIDE[self.dims])}


def denoise(x: Tensor, sigma: Tensor, dictionaries: list[Tensor], lam: float) -> Tensor:
    """Images (B, 1, ...) by a dictionary each; y has the weight ``lam`` rms/σ in the average."""
    weight = lam * rms(x).flatten() / sigma
    restored = [restore(*one) for one in zip(x[:, 0], sigma, dictionaries, weight, strict=True)]
    return torch.stack(restored)[:, None]


def restore(y: Tensor, sigma: Tensor, D: Tensor, lam: Tensor) -> Tensor:
    """A single image (H, W) or (D, H, W), denoised; ``lam`` is the weight of y in the average."""
    n, side = D.shape[1], side_of(D, y.ndim)

    def code(rows: Tensor) -> Tensor:
        centred, mean = less_mean(rows)
        return approximations(D, centred, n // MOST, C * n**0.5 * sigma) + mean

    return (lam * y + add_up(y, side, code)) / (lam + cover(y, side))


def side_of(D: Tensor, dims: int) -> int:
    return round(D.shape[1] ** (1 / dims))
