"""`python -m bench.engines.worker SPEC.json RUN_DIR`: one run on several devices, started once per device."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    from bench.engines.processes import end_with_parent, threads

    end_with_parent(os.getppid())

    import torch

    from bench.runs.run import perform
    from bench.runs.spec import Spec

    torch.set_num_threads(threads())
    spec, directory = map(Path, arguments)
    perform(Spec.read(spec), directory, lambda stage: None)


if __name__ == "__main__":
    main(sys.argv[1:])
