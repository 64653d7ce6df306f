"""`bench verify`: does an entry agree with images that were computed again?

Fixed code on one machine gives equal bits. Another machine sums in another order, and an iterative method carries such
a difference along; what must then agree is the score that a reader sees: `TOLERANCE` units of the last digit shown on a
board, so 0.01 dB or 0.01 %, and 0.0001 of a score without a unit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.leaderboard import cells
from bench.leaderboard.entries import Entry, Renewed, Verified
from bench.leaderboard.staleness import is_external
from bench.sealed import Scores

TOLERANCE = 1.0  # units of the last digit shown
ROUNDING = 1e-6  # relative to the tolerance, for a difference that equals it

Verdict = Literal["equal bits", "within tolerance", "differs", "not in the entry"]


@dataclass(frozen=True)
class Comparison:
    """One image under one seed: the kept and the new scores, and whether they agree."""

    seed: int
    image: str
    verdict: Verdict
    detail: str  # the metric that differs most, in units of the last digit shown
    same_measurement: bool  # whether the measurement has the bits that the entry's had

    @property
    def agrees(self) -> bool:
        return self.verdict in ("equal bits", "within tolerance")


def compare(
    entry: Entry,
    computed: Mapping[int, Scores],  # {seed: {image: {metric: value}}}
    image_hashes: Mapping[str, str],  # {image: hash of its measurement's bits}
    without: Collection[str] = (),
) -> list[Comparison]:
    """Compare new scores of some images with those of an entry. Raises `BenchError` where there are none.

    Of the metrics ``without`` nothing is compared: an image's share of a score of the set depends on the other images.
    """
    found = [
        _compare(entry, seed, image, scores, image_hashes.get(image, ""), without)
        for seed, images in sorted(computed.items())
        for image, scores in images.items()
    ]
    if not found:
        raise BenchError(f"{entry.file}: no image was computed, so that nothing is verified.")
    return found


def lines(entry: Entry, comparisons: Sequence[Comparison]) -> list[str]:
    """What to print: one line an image, then the verdict on the entry."""
    width = max(len(one.image) for one in comparisons)
    shown = [f"{entry.board} {entry.name}"]
    for one in comparisons:
        measured = "" if one.same_measurement else ", its measurement differs in bits"
        detail = f" ({one.detail})" if one.detail else ""
        shown.append(f"  seed {one.seed}  {one.image.ljust(width)}  {one.verdict}{detail}{measured}")
    agreeing = sum(one.agrees for one in comparisons)
    verdict = {"bits": "agrees to the bit", "tolerance": "agrees within the tolerance", "": "does NOT agree"}
    shown.append(f"  {verdict[agreement(comparisons)]}: {agreeing} of {len(comparisons)} images")
    return shown


def agreement(comparisons: Sequence[Comparison]) -> Literal["bits", "tolerance", ""]:
    """How far all images agree; "" where one does not."""
    if not comparisons or not all(one.agrees for one in comparisons):
        return ""
    exact = all(one.verdict == "equal bits" and one.same_measurement for one in comparisons)
    return "bits" if exact else "tolerance"


def status(comparisons: Sequence[Comparison]) -> int:
    """The exit status: 0 if all images agree, else 1."""
    return 0 if agreement(comparisons) else 1


def verified(entry: Entry, comparisons: Sequence[Comparison], date: str, commit: str, device: str) -> Entry:
    """The entry with a note that it was verified, unless it has one of more images; `BenchError` where one differs."""
    found = agreement(comparisons)
    if not found:
        raise BenchError(f"{entry.file} does not agree with its run: it is not marked as verified.")
    seen = Verified(date=date, commit=commit, device=device, images=len(comparisons), agreement=found)
    if entry.verified and entry.verified.images > seen.images:
        return entry
    return entry.model_copy(update={"verified": seen})


def renewed(
    entry: Entry,
    comparisons: Sequence[Comparison],
    sources: Mapping[str, str],  # of the method's code now
    code: str,  # hash of these
    search: str,  # hash of search space, budget and recipe now
    date: str,
    commit: str,
    device: str,
) -> Entry:
    """The entry with the hash of the code that is here now, where that gave equal bits on all images compared.

    Raises `BenchError` where bits differ, where the search space, budget or recipe has changed (the values might be
    chosen otherwise), or where the method is not of this repository.
    """
    if agreement(comparisons) != "bits":
        raise BenchError(f"{entry.file} is not renewed: the code here does not give equal bits. Run it again.")
    if search != entry.search:
        raise BenchError(f"{entry.file} is not renewed: its search space, budget or recipe has changed. Run it again.")
    if is_external(entry):
        raise BenchError(f"{entry.file} is not renewed: its method lies outside of this repository.")
    seen = Renewed(date=date, commit=commit, device=device, images=len(comparisons), code_before=entry.code)
    return entry.model_copy(update={"code": code, "sources": dict(sources), "renewed": seen})


def _compare(
    entry: Entry, seed: int, image: str, scores: Mapping[str, float], measured: str, without: Collection[str]
) -> Comparison:
    kept = entry.per_seed.get(str(seed), {}).get(image)
    same = bool(measured) and entry.image_hashes.get(image) == measured
    if kept is None:
        return Comparison(seed, image, "not in the entry", "", same)
    kept, scores = ({k: v for k, v in one.items() if k not in without} for one in (kept, scores))
    if set(kept) != set(scores):
        names = ", ".join(sorted(set(kept) ^ set(scores)))
        return Comparison(seed, image, "differs", f"other metrics: {names}", same)
    if all(kept[metric] == scores[metric] for metric in kept):
        return Comparison(seed, image, "equal bits", "", same)
    units = {
        metric: abs(scores[metric] - kept[metric]) / cells.last_digit(kept[metric], entry.metrics[metric].unit)
        for metric in kept
    }
    worst = max(units, key=lambda metric: units[metric])
    agrees = units[worst] <= TOLERANCE * (1 + ROUNDING)
    detail = f"{worst} {scores[worst]:.6g}, kept {kept[worst]:.6g}"
    return Comparison(seed, image, "within tolerance" if agrees else "differs", detail, same)
