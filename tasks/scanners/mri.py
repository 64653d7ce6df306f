"""MRI of an image of twice the resolution, which measures the centre of its k-space.

The inverse transform of this centre, fully sampled, is the reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from deepinv.physics import LinearPhysics
from numpy.typing import NDArray
from torch import Tensor

from tasks.physics.coils import coil_maps
from tasks.physics.mri import MRI, MultiCoilMRI, variable_density_mask
from tasks.physics.noise import complex_gaussian
from tasks.physics.placing import on_each_device


class Scanner:
    """Scans images {"image": (2 size, 2 size)}, complex, each with a mask and, of several coils, maps of its own.

    The options give size, coils, acceleration, the share of the centre of k-space that is fully sampled, and the
    standard deviation of the noise.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.size, self.coils = options["size"], options["coils"]
        self.sampling = options["acceleration"], options["centre"]
        self.noise = complex_gaussian(options["noise"])
        self.noise_model = on_each_device(self.noise.model)

    def without_noise(self, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """The reference, and of one coil its k-space; of several coils the image, which each scan sees otherwise."""
        image = arrays["image"]
        if self.coils:
            return {"x": low_resolution(image, self.size), "image": image}
        y = centre_of_kspace(image, self.size)
        return {"x": fft(y, inverse=True), "y": y}

    def draw(self, exact: Mapping[str, NDArray], rng: np.random.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        size = self.size
        mask = variable_density_mask((size, size), *self.sampling, rng)
        if not self.coils:
            y, params = exact["y"], {}
        else:
            maps = coil_maps(exact["image"].shape, self.coils, rng)
            y = centre_of_kspace(maps * exact["image"], size)
            odd = size % 2  # the origins of both grids, pixels size and size // 2, are one place
            params = {"coils": torch.from_numpy(maps[:, odd::2, odd::2].copy())}
        y = mask.numpy()[0] * self.noise.draw(y, rng)
        return as_channels(exact["x"]), as_channels(y), {"mask": mask, **params}

    def measure(self, arrays: Mapping[str, NDArray], rng: np.random.Generator) -> tuple[Any, ...]:
        return self.draw(self.without_noise(arrays), rng)

    def physics(self, params: Mapping[str, Tensor], device: torch.device) -> LinearPhysics:
        if self.coils:
            return MultiCoilMRI(params["mask"], params["coils"], self.noise_model(device), device)
        return MRI(params["mask"], self.noise_model(device), device)


def centre_of_kspace(image, size: int):
    """The k-space (..., size, size) that a scan of half the resolution of an image (..., 2 size, 2 size) measures."""
    kspace = fft(image) / 2  # half the side: the orthonormal transform keeps the intensities
    first = size - size // 2  # DC, at pixel size of the large grid, comes to pixel size // 2
    return kspace[..., first : first + size, first : first + size]


def low_resolution(image, size: int):
    """The image (..., size, size) of that k-space: the reference of a scan, on its grid."""
    return fft(centre_of_kspace(image, size), inverse=True)


def fft(image, inverse: bool = False):
    """Orthonormal Fourier transform over the last two axes, DC and the origin at their centres."""
    transform = np.fft.ifft2 if inverse else np.fft.fft2
    shifted = np.fft.ifftshift(image, axes=(-2, -1))
    return np.fft.fftshift(transform(shifted, norm="ortho"), axes=(-2, -1))


def as_channels(image):
    """Real and imaginary part as the first axis of a float64 tensor."""
    return torch.from_numpy(np.stack([image.real, image.imag]))
