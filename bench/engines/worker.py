"""`python -m bench.engines.worker REQUEST.json RUN_DIR`: one run on several devices; Lightning starts this once per
device."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    from bench.engines.local import end_with_parent

    end_with_parent(os.getppid())

    import torch

    from bench.runs.run import perform
    from bench.runs.spec import Request

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    config, directory = map(Path, arguments)
    values = json.loads(config.read_text(encoding="utf-8"))
    perform(Request(**{**values, "seeds": tuple(values["seeds"])}), directory, lambda stage: None)


if __name__ == "__main__":
    main(sys.argv[1:])
