"""X-rays of many energies E through several materials m:   I / I₀ = Σ_E s(E) exp(−Σ_m r_m(E) p_m)

s: share of the photons; p_m: line integral of the attenuation that the material has at 70 keV; r_m(E): its attenuation
at E over the attenuation at 70 keV. Hence a scan of any energies is described by line integrals at one energy.

Mass attenuation coefficients μ/ρ in cm²/g: J. Hubbell, S. Seltzer, Tables of X-ray mass attenuation coefficients,
NIST Standard Reference Database 126 (NISTIR 5632), 1995; bone is cortical bone of ICRU Report 44. They hold no edge of
these materials between 20 and 150 keV, and are interpolated as powers of the energy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REFERENCE = 70.0  # keV, the energy of attenuation in phantoms and in reconstructions
ENERGIES = (20.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0)  # keV
MASS_ATTENUATION = {
    "water": (0.8096, 0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505),
    "bone": (4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855, 0.1480),
    "aluminium": (3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018, 0.1704, 0.1378),
    "titanium": (15.85, 4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721, 0.1649),
    "iron": (25.68, 8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717, 0.1964),
}
DENSITY = {"water": 1.0, "bone": 1.92, "aluminium": 2.699, "titanium": 4.54, "iron": 7.874}  # g/cm³, ibidem

WIDTH = 10.0  # keV, of an energy bin
THICKEST = 40.0  # water's line integral at the end of the table by which its hardening is undone
NODES = 2**14  # of that table: linear between them, exact to 1e-7

ALL_SOFT, ALL_BONE = 100.0, 1500.0  # HU


def mass_attenuation(material: str, energy: float | Array = REFERENCE) -> Array:
    """μ/ρ in cm²/g at energies in keV."""
    return np.exp(np.interp(np.log(energy), np.log(ENERGIES), np.log(MASS_ATTENUATION[material])))


def attenuation(material: str, energy: float | Array = REFERENCE) -> Array:
    """μ in 1/cm at energies in keV."""
    return DENSITY[material] * mass_attenuation(material, energy)


@dataclass(frozen=True)
class Beam:
    """Photons of an X-ray tube in bins of 10 keV, from 20 keV up to its ``voltage`` in kV.

    The tube's anode sends out s(E) ∝ voltage/E − 1 photons of energy E (H. Kramers, On the theory of X-ray absorption
    and of the continuous X-ray spectrum, Phil. Mag. 46, 1923), without its characteristic lines; ``filtration`` is the
    cm of aluminium before the patient. The detector counts photons, whatever their energy.
    """

    voltage: float
    filtration: float

    @cached_property
    def energies(self) -> Array:
        return np.arange(ENERGIES[0] + WIDTH / 2, self.voltage, WIDTH)

    @cached_property
    def shares(self) -> Array:
        """s, of sum one."""
        photons = (self.voltage / self.energies - 1) * np.exp(
            -self.filtration * attenuation("aluminium", self.energies)
        )
        return photons / photons.sum()

    def transmission(self, integrals: Mapping[str, Array]) -> Array:
        """I / I₀ behind line integrals at 70 keV, by material."""
        total: Array = np.zeros(())
        for energy, share in zip(self.energies, self.shares, strict=True):
            exponent = sum(
                mass_attenuation(material, energy) / mass_attenuation(material) * p for material, p in integrals.items()
            )
            total = total + share * np.exp(-exponent)
        return total

    def as_of_water(self, y: Array) -> Array:
        """The line integrals at 70 keV of water that would give y = −log(I / I₀): the usual water precorrection.

        J. Hsieh, Computed Tomography: Principles, Design, Artifacts, and Recent Advances, SPIE 2009, ch. 7. It undoes
        the hardening by soft tissue and leaves the further hardening by bone and metal.
        """
        return np.interp(y, *self._water)

    @cached_property
    def _water(self) -> tuple[Array, Array]:
        water = np.linspace(-1, THICKEST, NODES)  # noise may leave less than nothing in the way
        return -np.log(self.transmission({"water": water})), water


def soft_and_bone(image: Array) -> tuple[Array, Array]:
    """The parts of an attenuation at 70 keV, in 1/cm, that absorb as water does and as bone does; their sum is it.

    A pixel is water below 100 HU, bone above 1500 HU, and a mixture between.

    Y. Zhang, H. Yu, Convolutional neural network based metal artifact reduction in X-ray computed tomography, IEEE TMI
    37(6), 2018, simulate scans of patients in this way.
    """
    hounsfield = 1000 * (image / attenuation("water") - 1)
    bone = np.clip((hounsfield - ALL_SOFT) / (ALL_BONE - ALL_SOFT), 0, 1) * image
    return image - bone, bone
