"""x_hat = d + N(d): what networks that improve an image share."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines.networks.normalisation import Normalisation


def corrected(d: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
    """``d`` (B, C, ...) plus the network's correction; the network sees d normalised and without its mean."""
    normalisation = Normalisation(d)
    z = normalisation.normalise(d)
    return d + normalisation.undo(network(z - z.mean(dim=tuple(range(2, z.ndim)), keepdim=True)))
