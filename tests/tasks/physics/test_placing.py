"""Operators are put on a device without moving what is there already, and share nothing that can be changed."""

import pytest
import torch
from deepinv.physics import GaussianNoise

from tasks.physics.inpainting import Inpainting
from tasks.physics.mri import MRI, MultiCoilMRI, RealMRI
from tasks.physics.placing import on_each_device
from tasks.physics.qsm import Dipole
from tests.pretend_card.card import CARD, pretend_card

MASK = torch.ones(2, 1, 4, 4)
MAKE = {
    "Inpainting": lambda mask, noise, device: Inpainting(mask, noise, device),
    "MRI": lambda mask, noise, device: MRI(mask, noise, device),
    "RealMRI": lambda mask, noise, device: RealMRI(mask, noise, device),
    "MultiCoilMRI": lambda mask, noise, device: MultiCoilMRI(mask, mask + 0j, noise, device),
    "Dipole": lambda mask, noise, device: Dipole(noise_model=noise, device=device, mask=mask[..., None]),
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_a_noise_model_that_is_on_the_device_stays_there(make):
    with pretend_card():
        model = GaussianNoise(0.1).to(CARD)
        sigma = model.sigma
        operator = make(MASK.to(CARD), model, CARD)
        assert operator.noise_model.sigma is sigma
        assert operator._device_holder.device == operator.mask.device == CARD


def test_each_operator_has_a_noise_model_of_its_own():
    model = on_each_device(lambda: GaussianNoise(0.1))
    first, second = model(torch.device("cpu")), model(torch.device("cpu"))
    first(torch.zeros(1, 1, 2, 2), sigma=0.5)  # deepinv keeps it
    assert float(first.sigma) == 0.5
    assert float(second.sigma) == pytest.approx(0.1)
    assert float(model(torch.device("cpu")).sigma) == pytest.approx(0.1)
