"""Programs with kernels of Triton, run on a processor by Triton's interpreter."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton comes with PyTorch for CUDA on Linux")


def interpret(program: str) -> None:
    """Run a program in a process of its own. It prints "done" at its end, and nothing else."""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert found.stdout == "done\n", found.stderr
