"""Statistics of a board: intervals of a mean, paired tests between methods, and the ranks that follow from them.

All of it is about images: a track's test images stand for the images one will meet, and are taken as independent draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

FEWEST = 5  # images below which neither an interval nor a test is given
CONFIDENCE = 0.95


def interval(values: Mapping[str, float]) -> tuple[float, float] | None:
    """The 95 % Student-t interval of the mean of ``{image id: value}``; None below 5 images."""
    from scipy.special import stdtrit

    sample = list(values.values())
    if len(sample) < FEWEST:
        return None
    mean, error = _mean_and_error(sample)
    half = float(stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2)) * error
    return mean - half, mean + half


def paired_p(a: Mapping[str, float], b: Mapping[str, float]) -> float | None:
    """Two-sided p-value of Student's paired t-test over the images that both have; None below 5 of them.

    Boards rank by the mean, and this tests the mean of the differences. Smucker, Allan and Carterette (A comparison of
    statistical significance tests for information retrieval evaluation, CIKM 2007) found it to agree with the exact
    randomisation test, which the Wilcoxon test does not; that one also cannot reach 5 % with five images.
    """
    from scipy.special import stdtr

    sample = [a[name] - b[name] for name in a if name in b]
    if len(sample) < FEWEST:
        return None
    mean, error = _mean_and_error(sample)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(len(sample) - 1, -abs(mean) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for having made all these tests (Holm, Scand. J. Statist. 6, 1979), in the given order."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for position, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[index]))
        adjusted[index] = running
    return adjusted


def ranks(
    scores: Mapping[str, Mapping[str, float]],  # {method: {image id: primary score}}
    higher_is_better: bool,
) -> dict[str, int]:
    """Competition ranks (1, 2, 2, 4), best first, of methods by the mean of their scores.

    Going down the order of means, the best method opens a tie. Every next one joins it until one is told apart from
    the method that opened the tie: there the next tie opens. Told apart means a paired t-test with p < 0.05 after
    Holm's correction over all pairs of the board. Where a pair shares too few images to be tested, unequal means
    tell them apart: the rank is then the order of the means and nothing more.
    """
    means = {name: _mean_and_error(list(values.values()))[0] for name, values in scores.items()}
    order = sorted(means, key=lambda name: (-means[name] if higher_is_better else means[name], name))
    pairs = [(order[i], order[j]) for i in range(len(order)) for j in range(i + 1, len(order))]
    tested = {pair: paired_p(scores[pair[0]], scores[pair[1]]) for pair in pairs}
    known = {pair: p for pair, p in tested.items() if p is not None}
    adjusted = dict(zip(known, holm(list(known.values())), strict=True))

    found: dict[str, int] = {}
    leader = None
    for position, name in enumerate(order, start=1):
        if leader is None:
            leader = name
        elif (leader, name) in adjusted:
            if adjusted[leader, name] < 1 - CONFIDENCE:
                leader = name
        elif means[leader] != means[name]:
            leader = name
        found[name] = position if leader == name else found[leader]
    return found


def _mean_and_error(sample: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    mean = math.fsum(sample) / len(sample)
    if len(sample) < 2:
        return mean, 0.0
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / (len(sample) - 1) / len(sample))
