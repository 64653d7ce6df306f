"""Images of two devices agree within a tolerance, or as far as the last digit of a measurement lets them."""

import pytest
import torch

from bench.contract.devices import DEVICE_TOLERANCE, agrees_with_the_processor
from bench.contract.method import Method
from bench.contract.toy_operators import toys
from bench.contract.toy_trial import Breach, Tried


class Drifting(Method):
    """Each instance gives another image, as if it were on another device."""

    made = 0
    drift = 0.0

    def __init__(self):
        super().__init__()
        type(self).made += 1
        self.offset = self.drift * self.made

    def forward(self, y, physics):
        return physics.A_adjoint(y) + self.offset


class FarApart(Drifting):
    drift = 100 * DEVICE_TOLERANCE


class CloseBy(Drifting):
    drift = 0.01 * DEVICE_TOLERANCE


class Chaotic(Drifting):
    """Its pixels depend on the last digits of y."""

    drift = 0.1

    def forward(self, y, physics):
        return super().forward(y, physics) + 0.1 * (1e6 * y).remainder(1.0)


class Sampler(Method):
    def forward(self, y, physics):
        return physics.A_adjoint(y) + torch.rand(()).to(y)


def test_an_image_that_differs_is_a_breach():
    with pytest.raises(Breach, match="differs from the CPU's by"):
        agrees_with_the_processor(Tried(FarApart, toys()[0]))


@pytest.mark.parametrize(
    ("method", "remark"), [(CloseBy, "differs by"), (Chaotic, "where the last digit of y moves it")]
)
def test_an_image_agrees_as_far_as_it_can(method, remark):
    assert remark in agrees_with_the_processor(Tried(method, toys()[0]))


def test_random_numbers_are_not_compared_between_devices():
    assert "not compared" in agrees_with_the_processor(Tried(Sampler, toys()[0]))
