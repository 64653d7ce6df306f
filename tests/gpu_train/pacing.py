"""How many steps a training is given: as many as end within its time, at the pace that is seen."""

from __future__ import annotations

import math

START = 25.0  # seconds from a command to its first steps: imports, workers, first data
TAIL = 20.0  # seconds after the last step: scores of the test images, and the record
SAFETY = 0.85  # of the time: looks at validation images are not part of the pace
TOO_FEW = 1.5  # times as many steps would fit: worth a new start
WORTH = 0.3  # of the steps that were meant: a new start that leaves fewer is not made
FEWEST = 20


def steps_within(seconds: float, pace: float, most: int) -> int:
    """Steps for a training that has ``seconds`` left after its start, with two digits; at most the track's ``most``."""
    steps = SAFETY * pace * max(0.0, seconds - TAIL)
    if steps >= most:
        return most
    unit = 10 ** max(0, math.floor(math.log10(max(steps, 1))) - 1)
    return max(FEWEST, int(steps) // unit * unit)


def corrected(steps: int, done: int, pace: float, seconds: float, start: float, most: int) -> int:
    """The steps to start anew with where ``steps`` do not fit the ``seconds`` left, else ``steps``.

    ``done`` of them are done; ``start`` is how long a start took. Where too little time is left for a new start, the
    training goes on: one that is stopped keeps its checkpoint.
    """
    possible = done + SAFETY * pace * max(0.0, seconds - TAIL)
    anew = steps_within(seconds - start, pace, most)
    too_many, too_few = (
        steps > possible and WORTH * steps <= anew < steps,
        min(possible, most) > TOO_FEW * steps and anew > steps,
    )
    return anew if too_many or too_few else steps
