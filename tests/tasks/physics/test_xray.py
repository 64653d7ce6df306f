"""Photons of many energies against closed forms and published numbers."""

import numpy as np
import pytest

from tasks.physics.xray import (
    MASS_ATTENUATION,
    REFERENCE,
    Beam,
    attenuation,
    mass_attenuation,
    soft_and_bone,
)

BEAM = Beam(120, 0.6)


def test_coefficients_are_the_tabulated_ones_at_their_energies_and_a_power_of_the_energy_between():
    assert mass_attenuation("iron", 60.0) == pytest.approx(1.205)
    assert mass_attenuation("bone", 80.0) == pytest.approx(0.2229)
    assert mass_attenuation("titanium", np.sqrt(60.0 * 80.0)) == pytest.approx(np.sqrt(0.7661 * 0.4052))
    assert attenuation("water") == pytest.approx(0.193, rel=0.005)  # XCOM at 70 keV: 0.1929/cm
    for values in MASS_ATTENUATION.values():
        assert list(values) == sorted(values, reverse=True)


def test_the_beam_is_as_hard_as_the_one_of_a_ct_scanner():
    """Half-value layers of 120 kV beams of scanners are 6.5 to 9 mm of aluminium (IAEA Human Health Series 19)."""
    assert BEAM.shares.sum() == pytest.approx(1)
    assert BEAM.energies.max() < 120
    behind = [float(BEAM.transmission({"aluminium": attenuation("aluminium") * cm})) for cm in (0.65, 0.9)]
    assert behind[0] > 0.5 > behind[1]


def test_a_thin_layer_is_attenuated_by_the_mean_over_the_beam_and_a_thick_one_by_less():
    mean = sum(BEAM.shares * mass_attenuation("titanium", BEAM.energies) / mass_attenuation("titanium"))
    thin, thick = 1e-5, 5.0
    assert -np.log(BEAM.transmission({"titanium": np.array(thin)})) == pytest.approx(thin * mean, rel=1e-3)
    assert -np.log(BEAM.transmission({"titanium": np.array(thick)})) < 0.7 * thick * mean


def test_one_energy_obeys_the_law_of_lambert_and_beer():
    beam = Beam(30.0, 0.0)  # one bin, at 25 keV
    p = {"water": np.array([0.0, 1.0]), "iron": np.array([0.5, 2.0])}
    ratio = {name: mass_attenuation(name, 25.0) / mass_attenuation(name, REFERENCE) for name in p}
    expected = sum(ratio[name] * p[name] for name in p)
    np.testing.assert_allclose(-np.log(beam.transmission(p)), expected, rtol=1e-12)


def test_the_correction_undoes_the_hardening_by_water_alone():
    p = np.linspace(-0.01, 12, 50)
    y = -np.log(BEAM.transmission({"water": p}))
    assert np.abs(y - p).max() > 0.3
    np.testing.assert_allclose(BEAM.as_of_water(y), p, atol=1e-5)
    through = -np.log(BEAM.transmission({"water": p[1:], "iron": np.full(49, 5.0)}))
    assert np.all(BEAM.as_of_water(through) < p[1:] + 4.5)  # metal hardens more than water of its line integral


def test_an_image_is_shared_among_water_and_bone():
    image = attenuation("water") * (1 + np.array([-1000.0, 0.0, 100.0, 800.0, 1500.0, 2000.0]) / 1000)
    soft, bone = soft_and_bone(image)
    np.testing.assert_allclose(soft + bone, image)
    np.testing.assert_allclose(bone, image * [0, 0, 0, 0.5, 1, 1], atol=1e-12)
