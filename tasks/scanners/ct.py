"""CT of an image of twice the resolution: its exact line integrals, with the noise of photons or of counts."""

from __future__ import annotations

from collections.abc import Mapping
from math import radians
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tasks.phantoms.shapes import coarsen
from tasks.physics.ct import CT
from tasks.physics.noise import photon, poisson
from tasks.physics.projector import Geometry

CPU = torch.device("cpu")


class Scanner:
    """Scans images {"image": (2 size, 2 size)}.

    The options give size, views, arc in degrees, field in cm, and the photons of a ray or the counts of an emission.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        size, views, arc = options["size"], options["views"], radians(options["arc"])
        pixel = options["field"] / size
        self.noise = poisson(options["counts"]) if "counts" in options else photon(options["photons"])
        self.geometry = Geometry.parallel(size, views, arc=arc, pixel=pixel)
        bins = self.geometry.bins
        self.fine = Geometry.parallel(2 * size, views, arc=arc, pixel=pixel / 2, spacing=pixel, bins=bins)
        self.operators: dict[torch.device, CT] = {}

    def exact(self, device: torch.device = CPU) -> CT:
        """The operator of the fine image, with its noise. Processes that only draw training images never make it."""
        if device not in self.operators:
            self.operators[device] = CT(self.fine, self.noise.model(), device)
        return self.operators[device]

    def without_noise(self, arrays: Mapping[str, NDArray]) -> dict[str, Any]:
        """The image on the grid of the reconstruction, and the exact line integrals (1, views, bins)."""
        image = arrays["image"].astype(np.float64, copy=False)
        return {"x": coarsen(image), "line_integrals": self.line_integrals(image[None])}

    def line_integrals(self, images: NDArray) -> NDArray:
        """Of images (C, 2 size, 2 size): (C, views, bins)."""
        return self.exact().A(torch.from_numpy(images)[None])[0].numpy()

    def draw(self, exact: Mapping[str, Any], rng: np.random.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        y = self.noise.draw(exact["line_integrals"], rng)
        return torch.from_numpy(exact["x"])[None], torch.from_numpy(y), {}

    def measure(self, arrays: Mapping[str, NDArray], rng: np.random.Generator) -> tuple[Any, ...]:
        return self.draw(self.without_noise(arrays), rng)

    def physics(self, params: Mapping[str, Tensor], device: torch.device) -> CT:
        return CT(self.geometry, self.noise.model(), device)
