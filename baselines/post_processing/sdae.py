"""x_hat = Σ_i R_iᵀ a(R_i d) / Σ_i R_iᵀR_i,   a = g_1 ∘ … ∘ g_K ∘ h_K ∘ … ∘ h_1,   d = D(y) the direct reconstruction

A stacked denoising autoencoder on patches R_i d of 8x8 pixels (4x4x4 voxels), whose restorations are averaged. Layer
k encodes by h_k(u) = ReLU(W_k u + b_k) and decodes by g_k(v) = ReLU(V_k v + c_k), the first one without ReLU. In half
of the steps the layers are trained one after another: the codes of the patches of d are the corrupted input of layer k,
the codes of the true patches its target, min E ‖g_k(h_k(u(d))) − u(x)‖², with all layers below fixed. Then all layers
together are fine-tuned on the image, min E ‖x_hat − x‖². Each stage has an optimiser of its own.

The corrupted input comes from the measurement, as in Xie et al.; Vincent et al. corrupt clean data themselves, and only
fine-tune the encoder, for classes. Four things differ from the papers. The units are ReLUs and not sigmoids, which
saturate and need far more steps, and so there is no penalty of sparsity. The first layer starts as a tight frame F
with its negative, W_1 = (F, −F), V_1 = (Fᵀ, −Fᵀ), FᵀF = 1, and the others as the identity: the untrained network is
the direct reconstruction, equal negative biases would make a_1 soft thresholding of frame coefficients, and each layer
learns below layers that change nothing yet. d is normalised, so that one recipe serves all units. And the fine-tuning
is of the averaged image, and not of its patches.

P. Vincent et al., Stacked denoising autoencoders: learning useful representations in a deep network with a local
denoising criterion, JMLR 2010.
J. Xie, L. Xu, E. Chen, Image denoising and inpainting with deep neural networks, NIPS 2012.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from deepinv.physics import LinearPhysics
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv3d, conv_transpose2d, conv_transpose3d, mse_loss

from baselines.networks.correction import corrected
from baselines.networks.folding import extend
from baselines.networks.normalisation import Normalisation
from bench.contract.method import LearnedMethod
from bench.contract.operators import direct

SIDE = {2: 8, 3: 4}  # of a patch, by the dimensions of the image; patches lie half a side apart
GATHER, SCATTER = {2: conv2d, 3: conv3d}, {2: conv_transpose2d, 3: conv_transpose3d}
PRETRAINING = 0.5  # share of the steps in which single layers learn; set by hand


class SDAE(LearnedMethod):
    """``layers``: K; ``redundancy``: coefficients of the frame F for each pixel of a patch. A code has two for each."""

    def __init__(self, channels: int = 1, dims: int = 2, layers: int = 2, redundancy: int = 2) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.side = SIDE[dims]
        pixels = channels * self.side**dims
        sizes = [pixels, *[2 * redundancy * pixels] * layers]
        self.layers = nn.ModuleList(Layer(a, b) for a, b in pairwise(sizes))

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), lambda z: self.restored(z) - z)

    def restored(self, z: Tensor) -> Tensor:
        """The average of the restored patches of images (B, C, ...)."""
        whole = extend(z, self.side)
        u = self.codes(patches(whole, self.side), len(self.layers))
        for number in reversed(range(len(self.layers))):
            layer: Any = self.layers[number]
            u = layer.decode(u)
        image = average(u, self.side, whole.shape)
        for axis in range(2, z.ndim):
            image = image.narrow(axis, 0, z.shape[axis])
        return image

    def codes(self, u: Tensor, layers: int) -> Tensor:
        """The codes of patches (..., pixels) after the first ``layers`` layers."""
        for number in range(layers):
            layer: Any = self.layers[number]
            u = layer.encode(u)
        return u

    def stage(self, step: int, steps: int) -> int:
        """The layer that learns in a step of a training, from 0; K where all of them are fine-tuned."""
        return min(int(step * len(self.layers) / (PRETRAINING * steps)), len(self.layers))

    def layer_loss(self, number: int, x: Tensor, y: Tensor, physics: LinearPhysics) -> Tensor:
        """How far layer ``number`` is from the codes of the true patches, when given the codes of the direct ones."""
        with torch.no_grad():
            d = direct(y, physics)
            normalisation = Normalisation(d)
            corrupted, true = normalisation.normalise(d), normalisation.normalise(x)
            mean = corrupted.mean(dim=tuple(range(2, d.ndim)), keepdim=True)
            u, target = (self.codes(patches(extend(z - mean, self.side), self.side), number) for z in (corrupted, true))
        layer: Any = self.layers[number]
        return mse_loss(layer.decode(layer.encode(u)), target)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics = batch
        number = self.stage(index, int(self.trainer.estimated_stepping_batches))
        tuned = number == len(self.layers)
        loss = self.loss(self(y, physics), x) if tuned else self.layer_loss(number, x, y, physics)
        optimizers: Any = self.optimizers()
        optimizers[number].zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizers[number], self.gradient_clip)
        optimizers[number].step()
        schedulers: Any = self.lr_schedulers()
        schedulers[number].step()
        return loss

    def configure_optimizers(self) -> Any:
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        stages = [self.stage(step, steps) for step in range(steps)]
        optimizers, schedulers = [], []
        for number, learning in enumerate([*self.layers, self]):
            optimizers.append(torch.optim.Adam(learning.parameters(), lr=self.learning_rate))
            factor = partial(self.factor, max(1, stages.count(number)))
            schedulers.append(torch.optim.lr_scheduler.LambdaLR(optimizers[-1], factor))
        return optimizers, schedulers

    def factor(self, steps: int, step: int) -> float:
        """Of the learning rate in a step of a stage of ``steps``: it warms up and falls as a cosine."""
        growth = min(1.0, (step + 1) / max(1.0, self.warm_up * steps))
        return growth * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


class Layer(nn.Module):
    """One autoencoder, from ``inputs`` numbers of a patch to a code; a layer on codes has as many of both."""

    def __init__(self, inputs: int, code: int) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(inputs, code), nn.Linear(code, inputs)
        self.of_codes = inputs == code
        with torch.no_grad():
            if self.of_codes:
                nn.init.eye_(self.encoder.weight)
            else:
                frame = nn.init.orthogonal_(torch.empty(code // 2, inputs))
                self.encoder.weight.copy_(torch.cat([frame, -frame]))
            self.decoder.weight.copy_(self.encoder.weight.T)
            nn.init.zeros_(self.encoder.bias)
            nn.init.zeros_(self.decoder.bias)

    def encode(self, u: Tensor) -> Tensor:
        return self.encoder(u).relu()

    def decode(self, v: Tensor) -> Tensor:
        v = self.decoder(v)
        return v.relu() if self.of_codes else v


def patches(x: Tensor, side: int) -> Tensor:
    """Patches of images (B, C, ...), half a side apart: (B, places of the patches ..., C side^d)."""
    dims = x.ndim - 2
    rows = GATHER[dims](x.flatten(0, 1).unsqueeze(1), pixel(x, side), stride=side // 2)
    return rows.unflatten(0, x.shape[:2]).flatten(1, 2).movedim(1, -1)


def average(rows: Tensor, side: int, shape: torch.Size) -> Tensor:
    """Images (B, C, ...) of a ``shape``, each pixel the mean of the patches, as `patches` orders them, that hold it."""
    dims, kernel = len(shape) - 2, pixel(rows, side, len(shape) - 2)
    planes = rows.movedim(-1, 1).unflatten(1, (shape[1], -1)).flatten(0, 1)
    total, count = (SCATTER[dims](one, kernel, stride=side // 2) for one in (planes, torch.ones_like(planes[:1])))
    return (total / count).squeeze(1).unflatten(0, shape[:2])


def pixel(like: Tensor, side: int, dims: int | None = None) -> Tensor:
    """Kernels (side^d, 1, side, ...), each of which picks one pixel of a patch."""
    dims = like.ndim - 2 if dims is None else dims
    return torch.eye(side**dims, dtype=like.dtype, device=like.device).reshape(-1, 1, *[side] * dims)
