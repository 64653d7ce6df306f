"""Blur with a circular boundary: ``y = h ⊛ x``, ``A = F^-1 diag(F h) F``.

x, y: images (B, C, H, W) of any size, the kernel no larger; h: a kernel (h, w) whose centre is the pixel
(h // 2, w // 2).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from deepinv.physics import ZeroNoise
from deepinv.physics.noise import NoiseModel
from torch import Tensor

from tasks.physics.convolution import CircularConvolution, frequencies


class CircularBlur(CircularConvolution):
    """``kernel``: (h, w). Its transfer function is made once per image size, precision and device, and shared."""

    def __init__(
        self,
        kernel: Tensor,
        noise_model: NoiseModel | None = None,
        device: torch.device | str = "cpu",
    ):
        super().__init__(noise_model=noise_model or ZeroNoise(), device=device)
        if kernel.ndim != 2:
            raise ValueError(f"expected a kernel (h, w), got {tuple(kernel.shape)}")
        self.kernel = kernel.detach().cpu().double()
        self.kernel_bytes = self.kernel.numpy().tobytes()

    @property
    def operator_norm(self) -> float:
        """``Σ |h|``, which a kernel without negative values attains at DC; a bound for others."""
        return float(self.kernel.abs().sum())

    def transfer(self, x: Tensor) -> Tensor:
        return transfer_function(self.kernel_bytes, tuple(self.kernel.shape), tuple(x.shape[2:]), x.dtype, x.device)

    def direct(self, y: Tensor, noise_to_signal: float = 0.1) -> Tensor:
        """Wiener filter for white noise and images whose power falls as 1 / f^2 (D. J. Field, JOSA A 4(12), 1987).

        ``noise_to_signal``: the ratio of the noise's power to the image's at the Nyquist frequency of an axis; at DC
        it is zero, so that the mean is kept.
        """
        rows, columns = frequencies(y)
        return self.regularised_inverse(y, (noise_to_signal * 4 * (rows**2 + columns**2)).to(y))


@lru_cache(maxsize=16)
def transfer_function(
    kernel_bytes: bytes, kernel_shape: tuple[int, int], shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """``F h`` on the half spectrum of ``shape`` for the float64 kernel with these bytes."""
    (h, w), (height, width) = kernel_shape, shape
    if h > height or w > width:
        raise ValueError(f"a kernel of {h} x {w} does not fit an image of {height} x {width}")
    kernel = torch.frombuffer(bytearray(kernel_bytes), dtype=torch.float64).reshape(h, w)
    padded = torch.nn.functional.pad(kernel, (0, width - w, 0, height - h))
    transfer = torch.fft.rfft2(padded.roll((-(h // 2), -(w // 2)), (0, 1)))
    return transfer.to(device, dtype.to_complex())
