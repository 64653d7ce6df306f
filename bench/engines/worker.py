"""`python -m bench.engines.worker SPEC.json RUN_DIR`: one run on several devices, started once per device."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    from bench.engines.processes import end_with_parent, threads

    end_with_parent(os.getppid())

    import torch

    from bench.runs.run import is_first_process, perform
    from bench.runs.spec import Spec
    from bench.tracking import journal

    torch.set_num_threads(threads())
    path, directory = map(Path, arguments)
    spec = Spec.read(path)
    with journal.Telling(journal.path_of(spec.key)) as telling:
        point = telling.hear if is_first_process() else lambda point: None
        perform(spec, directory, lambda stage: None, point)


if __name__ == "__main__":
    main(sys.argv[1:])
