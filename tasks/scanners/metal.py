"""CT of metal: photons of many energies (`tasks.physics.xray`), whose hardening by water is undone in y."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.metrics.metal import regions
from tasks.phantoms.implants import MATERIALS
from tasks.phantoms.shapes import coarsen
from tasks.physics.xray import Beam
from tasks.scanners.ct import Scanner


class MetalScanner(Scanner):
    """Scans the attenuation of each material, and where metal is, (2 size, 2 size) each.

    The options also give the beam's voltage and filtration, and the ceiling, at which x ends. The masks of the scores,
    made for the attenuation of ``water``, are params that no operator is given: a method has to find the metal in y.
    """

    def __init__(self, options: Mapping[str, Any], water: float) -> None:
        super().__init__(options)
        self.beam = Beam(options["voltage"], options["filtration"])
        self.options, self.water = options, water

    def without_noise(self, arrays: Mapping[str, NDArray]) -> dict[str, Any]:
        """As of one energy, the line integrals are minus the logarithm of what is let through."""
        parts = np.stack([arrays[name] for name in MATERIALS])
        transmission = self.beam.transmission(dict(zip(MATERIALS, self.line_integrals(parts), strict=True)))
        x = np.minimum(coarsen(parts.sum(0)), self.options["ceiling"])
        masks = regions(x, coarsen(arrays["metal"]) > 0, self.options["field"] / len(x), self.water)
        return {"x": x, "line_integrals": -np.log(transmission), "masks": masks}

    def draw(self, exact: Mapping[str, Any], rng: np.random.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        y = self.beam.as_of_water(self.noise.draw(exact["line_integrals"], rng))
        return torch.from_numpy(exact["x"])[None], torch.from_numpy(y)[None], exact["masks"]
