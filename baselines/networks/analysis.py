"""f = σ(N(z)):   the analysis network, from an image to the probability of each class in each pixel

N is a U-Net, z the image in units of its root mean square and without its smooth phase, σ the logistic function. All
methods of the family `raw_to_task` share this network and its loss, so that they differ in the images it sees alone.
The loss is the focal loss, the sum over pixels of −(1 − p_t)² log p_t with p_t the probability of the true answer, over
the number of pixels of the class: a small nodule is not outweighed by all that is plainly none.

O. Ronneberger, P. Fischer, T. Brox, U-Net, MICCAI 2015.
T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, Focal loss for dense object detection, ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from baselines.networks.normalisation import Normalisation
from baselines.networks.unet import unet
from bench.contract.method import LearnedMethod

WIDTH, LEVELS = 16, 3
RARE = -4.0  # logit before training: a class fills a small share of an image
FOCUS = 2.0  # exponent of the focal loss, as in the paper
CERTAIN = 1e-6  # the loss does not tell probabilities this near to 0 or 1 apart


class Analysis(nn.Module):
    """Images (B, C, ...), or several along the channels, to probabilities (B, classes, ...).

    In training it reads each batch in one of the eight symmetries of the square (of a volume, in one of its mirror
    images), drawn at random, and turns the answer back: the same few slices show it many lesions.
    """

    def __init__(self, channels: int, classes: int, dims: int) -> None:
        super().__init__()
        self.network = unet(channels, classes, dims, WIDTH, LEVELS)

    def forward(self, x: Tensor) -> Tensor:
        z = Normalisation(x).normalise(x)
        if not self.training:
            return torch.sigmoid(self.network(z) + RARE)
        mirrored = [axis for axis in range(2, x.ndim) if int(torch.randint(2, ()))]
        turned = x.ndim == 4 and int(torch.randint(2, ()))  # a quarter turn is a mirror image of the transpose
        z = z.flip(mirrored).mT if turned else z.flip(mirrored)
        out = self.network(z)
        out = out.mT.flip(mirrored) if turned else out.flip(mirrored)
        return torch.sigmoid(out + RARE)


class Reader(LearnedMethod):
    """A method that ends in the analysis network, and is trained for its finding."""

    returns: ClassVar[tuple[str, ...]] = ("finding",)
    learning_rate: ClassVar[float] = 2e-3

    def loss(self, x_hat: Any, x: Tensor, target: Mapping[str, Tensor] | None = None) -> Tensor:
        """The loss of the finding alone."""
        assert target is not None
        return finding_loss(x_hat.finding, target)


def finding_loss(finding: Tensor, target: Mapping[str, Tensor]) -> Tensor:
    """The loss, (), of probabilities (B, classes, ...) given the truth ``target["map"]`` of the same shape."""
    truth = target["map"]
    right = finding * truth + (1 - finding) * (1 - truth)  # p_t, the probability of the true answer
    entropy = binary_cross_entropy_with_logits(torch.logit(finding, CERTAIN), truth, reduction="none")
    axes = (0, *range(2, truth.ndim))
    return (((1 - right) ** FOCUS * entropy).sum(axes) / (truth.sum(axes) + len(truth))).mean()
