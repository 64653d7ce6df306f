"""The error a user can act on: one line that names the thing, the rule it broke and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Shown to the user as one line, without a traceback."""


class OverTime(BenchError):
    """A run, or a trial of it, has used up its time."""


def unknown(kind: str, name: str, known: Iterable[str], renamed: str | None = None) -> BenchError:
    """An error for a ``name`` that is not among the ``known`` ones; it suggests the new name, or the nearest ones."""
    known = sorted(known)
    near = [renamed] if renamed else _nearest(name, known)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known) or 'none'}."
    return BenchError(f"no {kind} is called {name!r}. {hint}")


def _nearest(name: str, known: list[str]) -> list[str]:
    """Known names like ``name``, whatever its capitals."""
    small = {one.lower(): one for one in known}
    if name.strip().lower() in small:
        return [small[name.strip().lower()]]
    return [small[match] for match in get_close_matches(name.strip().lower(), small, n=3, cutoff=0.5)]
