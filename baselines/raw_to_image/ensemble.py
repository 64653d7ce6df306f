"""x_hat = mean of R_1(y), ..., R_M(y),   std² = Σ (R_m(y) − x_hat)² / (M − 1):   networks R_m of different beginnings

The R_m are one network M times, each with random weights of its own to begin with and trained on samples of its own.
Together they have the steps of one training: step t is of member t mod M, so that each has one M-th of the steps. The
deviation is the disagreement of the members. It holds no noise that all of them leave in the image, so that it is
smaller than the error; calibration finds by how much.

R is asked for by its name, ``-m ensemble:network=learned_primal_dual``, and is the U-Net by default.

B. Lakshminarayanan, A. Pritzel, C. Blundell, Simple and scalable predictive uncertainty estimation using deep
ensembles, NeurIPS 2017 (there each member also learns a variance, and has a whole training).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.confidence import Confident, mean_and_deviation
from bench.contract.method import Estimate, LearnedMethod, Method
from bench.errors import BenchError

Network = TypeVar("Network", bound=nn.Module)


class Ensemble(Confident):
    """``network``: a learned method that returns images. ``members``: M."""

    def __init__(self, network: Method | str = "unet", members: int = 4) -> None:
        super().__init__(network)
        assert isinstance(network, LearnedMethod)  # the referee resolves the name
        if members < 2:
            raise BenchError(f"members={members}: a deviation takes two members or more.")
        self.members = nn.ModuleList([network, *(begun_anew(network) for _ in range(members - 1))])

    def training_step(self, batch: tuple[Any, ...], index: int) -> Tensor:
        x, y, physics = batch
        member: Any = self.members[index % len(self.members)]
        loss = member.loss(member(y, physics), x)
        self.log("train_loss", loss, on_step=True, on_epoch=False)
        return loss

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        return mean_and_deviation([member(y, physics) for member in self.members])


def begun_anew(network: Network) -> Network:
    """A copy with other random weights; a layer that begins at zero does so again."""
    copy = deepcopy(network)
    for module in copy.modules():
        if isinstance(module, nn.Linear | nn.modules.conv._ConvNd) and bool(module.weight.any()):
            module.reset_parameters()
    return copy
