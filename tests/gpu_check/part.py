"""`python -m tests.gpu_check.part PLAN.json ROWS.jsonl NAME=SECONDS...`: parts one after another, in this process."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
import warnings
from dataclasses import replace
from pathlib import Path

from tests.gpu_check.plan import OutOfTime, Plan, within
from tests.gpu_check.report import FAILED, Row, write


def main(plan_file: str, rows_file: str, *parts: str) -> None:
    warnings.simplefilter("ignore")
    plan, path = Plan.read(Path(plan_file)), Path(rows_file)
    for word in parts:
        name, _, seconds = word.partition("=")
        start = time.monotonic()
        try:
            with within(float(seconds)):
                module = importlib.import_module(f"tests.gpu_check.{name}")
                for row in module.rows(replace(plan, seconds=float(seconds))):
                    write(replace(row, part=name), path)
        except OutOfTime:
            write(Row(FAILED, name, f"was not done within its {float(seconds):.0f} s", part=name), path)
        except Exception as error:
            traceback.print_exc()
            text = " ".join(str(error).split())[:300]
            write(Row(FAILED, name, f"{type(error).__name__}: {text}", part=name), path)
        print(f"{name}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
