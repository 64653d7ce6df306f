"""`make bench`: speed as ratios to peers in the same run; exit status 1 where a ratio falls short of its goal.

`python -m tests.benchmarks denoisers dictionary` runs two parts.
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module

from tests.benchmarks.goals import report
from tests.benchmarks.timing import Row

PARTS = ("start", "referee", "training", "ct", "tv", "denoisers", "dictionary")


def rows(names: Sequence[str]) -> Iterator[Row]:
    for name in names:
        yield from import_module(f"tests.benchmarks.bench_{name}").main()


def main(names: Sequence[str]) -> int:
    if unknown := set(names) - set(PARTS):
        print(f"no benchmarks named {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")
    return not report(rows(names or PARTS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
