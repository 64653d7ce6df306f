"""x_hat = Σ_i R_iᵀ a(R_i d) / Σ_i R_iᵀR_i,   a = g_1 ∘ … ∘ g_K ∘ h_K ∘ … ∘ h_1,   d = D(y) the direct reconstruction

A stacked denoising autoencoder on patches R_i d of 8x8 pixels (4x4x4 voxels), whose restorations are averaged. Layer k
encodes by h_k(u) = ReLU(W_k u + b_k) and decodes by g_k(v) = ReLU(V_k v + c_k), the first one without ReLU. In half of
the steps the layers are trained one after another: the codes of the patches of d are the corrupted input of layer k, the
codes of the true patches its target, min E ‖g_k(h_k(u(d))) − u(x)‖², with all layers below fixed. Then all layers
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
from typing import Any, ClassVar

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
        code = 2 * redundancy * pixels
        sizes = [pixels, *[code] * layers]
        self.encoders = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.decoders = nn.ModuleList(nn.Linear(b, a) for a, b in zip(sizes, sizes[1:], strict=False))
        self.start()

    @torch.no_grad()
    def start(self) -> None:
        """The weights before training, with which every layer gives back its input."""
        for number, (encoder, decoder) in enumerate(zip(self.encoders, self.decoders, strict=True)):
            if number == 0:
                frame = nn.init.orthogonal_(encoder.weight.new_empty(encoder.out_features // 2, encoder.in_features))
                encoder.weight.copy_(torch.cat([frame, -frame]))
            else:
                nn.init.eye_(encoder.weight)
            decoder.weight.copy_(encoder.weight.T)
            nn.init.zeros_(encoder.bias)
            nn.init.zeros_(decoder.bias)

    def forward(self, y: Tensor, physics: LinearPhysics) -> Tensor:
        return corrected(direct(y, physics), lambda z: self.restored(z) - z)

    def restored(self, z: Tensor) -> Tensor:
        """The average of the restored patches of images (B, C, ...)."""
        whole = extend(z, self.side)
        image = average(self.decode(self.encode(patches(whole, self.side), len(self.encoders))), self.side, whole.shape)
        for axis in range(2, z.ndim):
            image = image.narrow(axis, 0, z.shape[axis])
        return image

    def encode(self, u: Tensor, layers: int) -> Tensor:
        """The code of the first ``layers`` layers, of patches (..., pixels)."""
        for encoder in self.encoders[:layers]:
            u = encoder(u).relu()
        return u

    def decode(self, v: Tensor) -> Tensor:
        """The patches of a code of the last layer."""
        for number in reversed(range(len(self.decoders))):
            v = self.decode_layer(number, v)
        return v

    def decode_layer(self, number: int, v: Tensor) -> Tensor:
        v = self.decoders[number](v)
        return v.relu() if number else v

    def stage(self, step: int, steps: int) -> int:
        """The layer that learns in a step of a training, from 0; K where all of them are fine-tuned."""
        return min(int(step * len(self.encoders) / (PRETRAINING * steps)), len(self.encoders))

    def layer_loss(self, number: int, x: Tensor, y: Tensor, physics: LinearPhysics) -> Tensor:
        """How far layer ``number`` is from the codes of the true patches, given the codes of the direct ones."""
        with torch.no_grad():
            d = direct(y, physics)
            normalisation = Normalisation(d)
            corrupted, clean = normalisation.normalise(d), normalisation.normalise(x)
            mean = corrupted.mean(dim=tuple(range(2, d.ndim)), keepdim=True)
            u, target = (
                self.encode(patches(extend(z - mean, self.side), self.side), number) for z in (corrupted, clean)
            )
        return mse_loss(self.decode_layer(number, self.encoders[number](u).relu()), target)

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics = batch
        number = self.stage(index, int(self.trainer.estimated_stepping_batches))
        tuned = number == len(self.encoders)
        loss = self.loss(self(y, physics), x) if tuned else self.layer_loss(number, x, y, physics)
        optimizer = self.optimizers()[number]  # type: ignore[index]
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, self.gradient_clip)
        optimizer.step()
        self.lr_schedulers()[number].step()  # type: ignore[index]
        return loss

    def configure_optimizers(self) -> Any:
        layers = [[*e.parameters(), *d.parameters()] for e, d in zip(self.encoders, self.decoders, strict=True)]
        optimizers = [torch.optim.Adam(one, lr=self.learning_rate) for one in (*layers, self.parameters())]
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        stages = [self.stage(step, steps) for step in range(steps)]

        def factor(length: int, step: int) -> float:
            growth = min(1.0, (step + 1) / max(1.0, self.warm_up * length))
            return growth * 0.5 * (1 + math.cos(math.pi * min(1.0, step / length)))

        lengths = [max(1, stages.count(number)) for number in range(len(optimizers))]
        return optimizers, [
            torch.optim.lr_scheduler.LambdaLR(one, lambda step, length=length: factor(length, step))
            for one, length in zip(optimizers, lengths, strict=True)
        ]


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
