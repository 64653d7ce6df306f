"""What this check runs in: packages that a machine without a network lacks, its device, its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.places import ROOT

LOOK = """
import json, sys, torch
seen = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "python": sys.version.split()[0], "card": torch.cuda.get_device_name(0) if seen else "",
    "count": torch.cuda.device_count() if seen else 0,
}))
"""


def install(wheels: str, target: Path) -> str:
    """Install all wheels of a folder into ``target``; "" or the reason why that failed."""
    files = sorted(map(str, Path(wheels).glob("*.whl")))
    if not files:
        return f"BENCH_WHEELS={wheels} holds no wheel"
    options = ["--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade", "--target", str(target)]
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, *files]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    lines = done.stderr.strip().splitlines() or ["no output"]
    return "" if done.returncode == 0 else f"pip: {lines[-1]}"


def environment(folder: Path, site: Path | None) -> dict[str, str]:
    """For the processes of the parts: a store of their own, no MLflow, this code first on the path."""
    ours = ("MLFLOW_", "BENCH_")
    kept = {name: value for name, value in os.environ.items() if name == "BENCH_COMMIT" or not name.startswith(ours)}
    paths = [str(ROOT), *([str(site)] if site else []), os.environ.get("PYTHONPATH", "")]
    own = {
        "BENCH_STORE": str(folder / "store"),
        "BENCH_TRACKING": "off",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
    }
    data = {"BENCH_DATA": str(Path(os.environ["BENCH_DATA"]).absolute())} if os.environ.get("BENCH_DATA") else {}
    return kept | own | data


def look(environment: Mapping[str, str]) -> dict[str, Any]:
    """Versions and the card, found out in a process of its own: a question to CUDA has consequences."""
    done = subprocess.run([sys.executable, "-c", LOOK], env=dict(environment), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"gpu-check: torch cannot be imported: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return json.loads(done.stdout)
