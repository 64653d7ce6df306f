"""min E (1 − λ) ℓ(N(R(y)), f) + λ ‖R(y) − x‖²/‖x‖²:   reconstruction R and analysis network N trained end to end

R is an unrolled network, by default learned primal-dual, whose gradient comes from the finding f as well as from the
image x. It begins as the network that was trained for images, as in the first stage of `two_stage`, and goes on at
a tenth of the rate of N, so that it does not forget the images before N has learned to read them; with
``scratch=True`` it begins untrained. λ weighs the two losses: 0 trains for the finding alone.

J. Adler, S. Lunz, O. Verdier, C.-B. Schönlieb, O. Öktem, Task adapted reconstruction for inverse problems, Inverse
Problems 38, 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from deepinv.physics import LinearPhysics
from torch import Tensor, nn

from baselines.networks.analysis import Analysis, Reader
from bench.contract.method import Estimate, Method
from bench.errors import BenchError

# Rate of a network that begins trained, in parts of the rate of a new one; chosen, as λ was, on further slices like
# those of `nodules:mini`
FINE = 0.1


class Joint(Reader):
    """``reconstruction``: a learned method that returns images. ``weight``: λ. ``scratch``: whether R is untrained."""

    returns: ClassVar[tuple[str, ...]] = ("image", "finding")
    inner: ClassVar[str] = "reconstruction"

    def __init__(
        self,
        reconstruction: Method | str = "learned_primal_dual",
        weight: float = 0.9,
        scratch: bool = False,
        channels: int = 1,
        classes: int = 1,
        dims: int = 2,
    ) -> None:
        super().__init__()
        assert isinstance(reconstruction, nn.Module)  # the referee resolves the name
        if not any(parameter.requires_grad for parameter in reconstruction.parameters()):
            raise BenchError(f"{type(reconstruction).__name__} has no weights that a joint training could move.")
        self.reconstruction = reconstruction
        self.analysis = Analysis(channels, classes, dims)
        self.weight = weight
        self.pace = 1.0 if scratch else FINE

    @classmethod
    def prepares_inner(cls, hyperparameters: Mapping[str, Any]) -> bool:
        return not hyperparameters.get("scratch", False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        rate = self.pace * self.learning_rate
        return [{"params": self.analysis.parameters()}, {"params": self.reconstruction.parameters(), "lr": rate}]

    def loss(self, x_hat: Any, x: Tensor, target: Mapping[str, Tensor] | None = None) -> Tensor:
        image = (x_hat.image - x).square().sum() / x.square().sum()
        return (1 - self.weight) * super().loss(x_hat, x, target) + self.weight * image

    def forward(self, y: Tensor, physics: LinearPhysics) -> Estimate:
        x_hat = self.reconstruction(y, physics)
        return Estimate(image=x_hat, finding=self.analysis(x_hat))
