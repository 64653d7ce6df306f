"""Tables below the ranking of a board, made of what was found out about finished runs; no rank depends on them.

`stability` has scores under shifts, `task_quality` the ranking by the image beside the one by a frozen observer's
finding, `sensitivity` the regions that a finding depends on. `by_part_of_seeds` names the methods of which a table
knows some seeds only.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.leaderboard.entries import Entry


def by_part_of_seeds(entries: Sequence[Entry], field: str) -> list[str]:
    """``name (1 of 3 seeds)`` of each entry that has fewer seeds in its ``field`` than scores on the board."""
    found = [(entry, getattr(entry, field) or ()) for entry in entries]
    return [
        f"{entry.name} ({len(seeds)} of {len(entry.seeds)} seeds)"
        for entry, seeds in found
        if 0 < len(seeds) < len(entry.seeds)
    ]
