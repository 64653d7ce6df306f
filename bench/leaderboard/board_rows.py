"""Boards: the entries of a track in the order in which they are shown, with a rank or the reason for having none."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.contract import registry
from bench.data.weights import is_hash
from bench.errors import BenchError
from bench.leaderboard.entries import Entry, of_metric
from bench.leaderboard.ranking import Place, Ranking, ranking
from bench.leaderboard.staleness import EXTERNAL, Now, is_external, staleness
from bench.leaderboard.statistics import FEWEST_SEEDS

OF_FINDINGS = "raw_to_task"  # the family whose methods return one
TRAINED = ("post_processing", "raw_to_image", OF_FINDINGS)  # families whose methods are all trained
LOWER_CONTROL = "direct"  # the reconstruction that is done first anyway
CONTROLS = {"oracle": "tuned on the test set", "defaults": "not tuned", "truth": "given the true images"}


@dataclass(frozen=True)
class Row:
    """An entry on its board.

    ``place`` is its place among the ranked, None with a ``reason`` if it has none. ``notes`` is anything else that
    a reader should know.
    """

    entry: Entry
    place: Place | None
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    stale: bool = False  # not of today's code

    @property
    def role(self) -> str:
        """Its part in the comparison, where it is a control."""
        if self.entry.control in ("oracle", "truth"):
            return "ceiling"
        if self.entry.control == "defaults":
            return "default values"
        if published_weights(self.entry):
            return "published weights, external data"
        return "lower control" if self.entry.name == LOWER_CONTROL and self.place else ""


@dataclass(frozen=True)
class Board:
    """The rows of one track: the ceilings, the ranked rows with their twins, then the rest."""

    name: str  # task:track
    rows: list[Row]
    lead: Entry  # an entry whose track and metrics stand for the board's
    missing: list[str] = field(default_factory=list)  # methods without a row
    trained: frozenset[str] = frozenset()  # methods that are trained, as far as any entry or their family tells
    ranking: Ranking = field(default_factory=lambda: Ranking({}, 0))

    @property
    def ranked(self) -> list[Row]:
        return [row for row in self.rows if row.place is not None]

    @property
    def metrics(self) -> list[str]:
        """The names of the metrics, the primary first."""
        return list(dict.fromkeys([self.lead.primary, *self.lead.metrics])) if self.lead.metrics else []

    @property
    def about(self) -> str:
        """How many images and groups the board rests on."""
        images, groups = self.lead.test_images, len(set(self.lead.groups.values()))
        text = f"version {self.lead.task_version}, {images} test image{'s' * (images != 1)}"
        if self.lead.status == "ok" and self.lead.limit is None:
            text += f" in {groups} group{'s' * (groups != 1)}"
        if self.ranked and self.ranking.too_few:
            text += ": too few to tell methods apart, order of the means only"
        return text

    @property
    def to_run(self) -> list[Row]:
        """Rows of our methods that a run would mend: stale, of uncommitted code, failed, or short of seeds."""
        return [
            row
            for row in self.rows
            if row.place is None and not row.role and not is_external(row.entry) and _mendable(row)
        ]

    def command(self, rows: Sequence[Row], methods: Sequence[str] = ()) -> str:
        """The command that makes the given rows again, and those of further methods."""
        names = list(dict.fromkeys([*(row.entry.method for row in rows if not row.entry.label), *methods]))
        seeds = " --seed " + " ".join(map(str, range(FEWEST_SEEDS)))
        parts = []
        for trained, wish in ((False, ""), (True, seeds)):
            if chosen := [f"-m {shlex.quote(name)}" for name in names if (name in self.trained) == trained]:
                parts.append(f"bench run {self.name} {' '.join(chosen)}{wish}")
        return " && ".join(parts)


def boards(entries: Iterable[Entry], now: Now) -> list[Board]:
    """The boards of all tracks that have entries, in the order of their names."""
    tracks: dict[str, list[Entry]] = {}
    entries = list(entries)
    families = now.methods()
    trained = frozenset(
        {entry.method for entry in entries if entry.learned} | {name for name in families if families[name] in TRAINED}
    )
    for entry in sorted(entries, key=lambda entry: (entry.task, entry.track, entry.name)):
        tracks.setdefault(entry.board, []).append(entry)
    return [_board(name, members, trained, now) for name, members in tracks.items()]


def of_the_budget(entry: Entry) -> str:
    """Of a training with other steps than the track's, how many these are; empty else, and where the track is gone."""
    try:
        steps = registry.track(entry.board).budget.steps
    except BenchError:
        return ""
    return f": {entry.steps:,} of the track's {steps:,} training steps" if entry.steps not in (None, steps) else ""


def unranked(entry: Entry, now: Now) -> str:
    """Why an entry has no rank, in a few words; "" where it has one.

    Ranked are protocol runs of today's committed code on the whole test set, that ended well on every seed asked for,
    and on three seeds or more of a method that is trained.
    """
    if entry.status != "ok":
        return f"{entry.status}: {entry.reason}" if entry.reason else entry.status
    if stale := staleness(entry, now):
        return stale
    if published := published_weights(entry):
        return f"published weights, external data: trained by its authors on {published['trained_on']}"
    if entry.control:
        return CONTROLS[entry.control]
    if entry.limit is not None:
        return f"only the first {entry.limit} test images"
    if entry.requested:
        return "values by hand: " + ", ".join(f"{name}={value}" for name, value in entry.requested.items())
    if entry.label or not entry.protocol:
        return "beyond the protocol, as its label says" + of_the_budget(entry)
    if entry.dirty:
        return f"uncommitted changes: {entry.dirty_reason}" if entry.dirty_reason else "uncommitted changes"
    if entry.failures:
        return "; ".join(f"seed {seed} failed: {reason}" for seed, reason in entry.failures.items())
    if lacking := set(entry.asked) - set(entry.seeds):
        return f"incomplete: {len(entry.asked) - len(lacking)} of {len(entry.asked)} seeds"
    if entry.learned and len(entry.seeds) < FEWEST_SEEDS:
        return f"trained on {len(entry.seeds)} of the {FEWEST_SEEDS} seeds that a rank needs"
    return ""


def published_weights(entry: Entry) -> dict[str, Any]:
    """The record of weights that authors published, where the entry is of such; else nothing."""
    return next((one for one in entry.training.values() if "weights" in one), {})


def _mendable(row: Row) -> bool:
    entry = row.entry
    return not entry.label and (row.stale or entry.status != "unsupported")


def _board(name: str, entries: list[Entry], trained: frozenset[str], now: Now) -> Board:
    reasons = {entry.name: unranked(entry, now) for entry in entries}
    sets = Counter(frozenset(entry.groups) for entry in entries if not reasons[entry.name])
    images = max(sets, key=lambda one: (sets[one], len(one)), default=frozenset())
    for entry in entries:
        if not reasons[entry.name] and set(entry.groups) != images:
            missing = len(images - set(entry.groups))
            reasons[entry.name] = f"other test images than the others': {missing} of {len(images)} are missing"
    ranked = [entry for entry in entries if not reasons[entry.name]]
    result = Ranking({}, 0)
    if ranked:
        metric = ranked[0].primary
        scores = {entry.name: of_metric(entry, metric) for entry in ranked}
        result = ranking(scores, ranked[0].groups, ranked[0].metrics[metric].higher_is_better)
    hashes = Counter(entry.data_hash for entry in ranked).most_common(1)
    rows = [
        Row(
            entry,
            result.places.get(entry.name),
            reasons[entry.name],
            _notes(entry, hashes[0][0] if hashes else entry.data_hash),
            bool(staleness(entry, now)),
        )
        for entry in entries
    ]
    known = {entry.method.partition(registry.JOINED)[0] for entry in entries}
    applies = _by_finding(name)
    unseen = [method for method, family in now.methods().items() if method not in known and applies(family)]
    newest = max(entries, key=lambda one: (one.task_version, one.status == "ok", one.limit is None))
    lead = ranked[0] if ranked else newest
    return Board(name, _in_order(rows), lead, unseen, trained, result)


def _by_finding(board: str) -> Callable[[str], bool]:
    """Whether methods of a family may apply to the track: those of findings where it asks for one, others elsewhere."""
    try:
        classes = registry.track(board).classes
    except BenchError:
        return lambda family: True
    return lambda family: (family == OF_FINDINGS) == bool(classes)


def _notes(entry: Entry, data_hash: str) -> list[str]:
    notes = []
    if entry.at_edge:
        notes.append(f"tuned to the edge of its range: {', '.join(entry.at_edge)}")
    if entry.status == "ok" and entry.limit is None and entry.data_hash != data_hash:
        notes.append(f"its test measurements differ in bits ({entry.data_hash[:8] or 'by seed'}, not {data_hash[:8]})")
    if published := published_weights(entry):
        notes.append(f"weights {published['weights']} of {published['origin']} (terms: {published['terms']})")
    elif entry.checkpoint and not is_hash(entry.checkpoint):
        notes.append(f"weights of run {entry.checkpoint[:8]}")
    if is_external(entry):
        notes.append(EXTERNAL)
    if entry.renewed:
        renewed = entry.renewed
        notes.append(f"code renewed {renewed.date[:10]}: equal bits on {renewed.images} images")
    return notes


def _in_order(rows: list[Row]) -> list[Row]:
    """Ceilings, ranked rows between their twins, the unranked by score, unsupported, failed.

    A twin that is tuned on the test set stands above its method, and an untuned one below it.
    """

    def score(row: Row) -> float:
        entry = row.entry
        if entry.status != "ok":
            return 0.0
        mean = entry.scores[entry.primary]
        return -mean if entry.metrics[entry.primary].higher_is_better else mean

    place = {row.entry.method: row.place.order for row in rows if row.place is not None}

    def order(row: Row) -> tuple[int, int, int, float, str]:
        entry = row.entry
        if row.place is not None:
            return 1, row.place.order, 1, 0.0, entry.name
        fresh = entry.status == "ok" and not row.stale
        if entry.control == "oracle" and fresh and entry.method in place:
            return 1, place[entry.method], 0, 0.0, entry.name
        if row.role == "ceiling" and fresh:
            return 0, 0, 0, score(row), entry.name
        if row.role == "default values" and fresh and entry.method in place:
            return 1, place[entry.method], 2, 0.0, entry.name
        return 2 + ("ok", "unsupported", "failed").index(entry.status), row.stale, 0, score(row), entry.name

    return sorted(rows, key=order)
