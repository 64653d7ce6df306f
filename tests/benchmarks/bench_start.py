"""How quick is the command line? `bench list` over an import of torch, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.timing import Row, alternate


def main() -> list[Row]:
    def call(*words: str) -> None:
        subprocess.run([sys.executable, *words], check=True, capture_output=True)

    seconds = alternate(
        {"list": lambda: call("-m", "bench.cli", "list"), "torch": lambda: call("-c", "import torch")}, rounds=5
    )
    return [("bench list / import torch", seconds["list"] / seconds["torch"], "at most 0.15")]
