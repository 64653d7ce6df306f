"""A value that was chosen at the edge of its range is found, on the scale of the range."""

import pytest

from bench.contract.space import Choice, Float, Int, at_edge, contains


@pytest.mark.parametrize(
    ("value", "values", "expected"),
    [
        (0.0, Float(0, 1), True),
        (0.019, Float(0, 1), True),
        (0.021, Float(0, 1), False),
        (0.979, Float(0, 1), False),
        (0.981, Float(0, 1), True),
        (1.0, Float(0, 1), True),
        # Four decades: 2 % of them are a factor of 1.2.
        (1.2e-4, Float(1e-4, 1.0, log=True), True),
        (1.21e-4, Float(1e-4, 1.0, log=True), False),
        (0.02, Float(1e-4, 1.0, log=True), False),
        (0.84, Float(1e-4, 1.0, log=True), True),
        (0.82, Float(1e-4, 1.0, log=True), False),
        (1, Int(1, 100, log=True), True),
        (2, Int(1, 100, log=True), False),
        (2, Int(1, 100), True),
        (4, Int(1, 100), False),
        (2.0, Float(0, 1), True),  # beyond
        (-1e-9, Float(1e-4, 1.0, log=True), True),
        (3, Int(3, 3), False),
        ("hann", Choice(("hann", "ramp")), False),
    ],
)
def test_within_two_percent_of_an_end(value, values, expected):
    assert at_edge(value, values) is expected


def test_what_a_range_contains():
    assert contains(Float(0, 1), 1.0)
    assert not contains(Int(1, 3), 4)
    assert contains(Choice(("hann",)), "hann")
    assert not contains(Choice(("hann",)), "ramp")
