"""x_hat = D(Ly),   Ly = y outside of the metal's trace, linear along the detector in it;   D filtered backprojection

Metal lets few photons through, and the hard ones of them. So the rays that meet metal are replaced, in every view by an
interpolation between the nearest rays that do not. Values that it gets wrong make new streaks, between metal and bone.

W. Kalender, R. Hebel, J. Ebersberger, Reduction of CT artifacts caused by metallic implants, Radiology 164(2), 1987.
"""

from __future__ import annotations

from deepinv.physics import LinearPhysics
from torch import Tensor

from baselines.metal_trace import TraceFilling, interpolated


class LinearInterpolation(TraceFilling):
    """With a threshold of metal and the filter of D as hyperparameters (`TraceFilling`)."""

    def fill(self, y: Tensor, trace: Tensor, physics: LinearPhysics) -> Tensor:
        return interpolated(y, trace)
