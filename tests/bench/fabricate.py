"""Made-up results and run directories, as `bench run` would leave them."""

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

from bench.runs.records import Result

METRICS = {"psnr": {"higher_is_better": True, "unit": "dB"}, "ssim": {"higher_is_better": True, "unit": ""}}


def result(method: str = "tv", seed: int = 0, level: float = 28.0, **changes: Any) -> Result:
    """A finished run of ``method`` with a PSNR around ``level`` on six images; ``changes`` replace any field."""
    images = {f"image-{i}": {"psnr": level + i / 4 + seed / 16, "ssim": 0.75 + i / 64} for i in range(6)}
    group = changes.pop("group", hashlib.sha256(f"{method} {changes.get('track')}".encode()).hexdigest()[:12])
    values: dict[str, Any] = {
        "key": hashlib.sha256(f"{group} {seed}".encode()).hexdigest()[:16],
        "group": group,
        "task": "denoising",
        "track": "mini",
        "task_version": 1,
        "method": method,
        "family": "handcrafted",
        "label": "",
        "protocol": True,
        "seed": seed,
        "seeds": [seed],
        "status": "ok",
        "reason": "",
        "primary": "psnr",
        "metrics": METRICS,
        "per_image": images,
        "requested": {},
        "hyperparameters": {"lam": 0.1},
        "tuning": {"trials": 2, "images": 2, "seconds": 3.0},
        "training": {},
        "parameters": 0,
        "seconds_per_image": 0.25,
        "peak_memory_bytes": 1 << 20,
        "device": "cpu",
        "devices": 1,
        "environment": {"torch": "2.15.0", "python": "3.11"},
        "data_hash": "d" * 16,
        "commit": "c" * 40,
        "dirty": False,
        "command": f"bench run denoising -m {method} --seed {seed}",
        "date": f"2026-03-01T10:00:0{seed}+00:00",
        "seconds": 12.5,
        "limit": None,
    }
    return Result(**(values | changes))


def failed(method: str = "tv", seed: int = 0, **changes: Any) -> Result:
    nothing: dict[str, Any] = {"per_image": {}, "seconds_per_image": None, "peak_memory_bytes": None}
    return result(method, seed, **({"status": "failed", "reason": "x_hat is not finite"} | nothing | changes))


def png(width: int = 96, height: int = 24) -> bytes:
    """A grey ramp."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes(column * 255 // width for column in range(width)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def run_directory(runs: Path, outcome: Result, steps: int = 20) -> Path:
    """``runs/<key>/`` with all the files that a run of a learned method may leave."""
    folder = runs / outcome.key
    (folder / "pictures").mkdir(parents=True)
    (folder / "result.json").write_text(outcome.to_json())
    (folder / "config.json").write_text(json.dumps({"track": "mini", "long": "x" * 2000}))
    (folder / "environment.json").write_text(json.dumps(outcome.environment))
    splits = {"train": 200, "val": 2, "test": len(outcome.per_image)}
    (folder / "data.json").write_text(json.dumps({"name": "denoising:mini", "splits": splits, "fingerprint": "f" * 16}))
    if outcome.status == "failed":
        (folder / "traceback.txt").write_text(
            '  File "/home/someone/x/bench/evaluation/evaluate.py", line 3\nValueError: nan\n'
        )
        return folder
    names = sorted(outcome.metrics)
    rows = [[name, *(str(scores[m]) for m in names)] for name, scores in outcome.per_image.items()]
    (folder / "per_image.csv").write_text("\n".join(",".join(row) for row in [["id", *names], *rows]) + "\n")
    trials = [
        {"number": 0, "hyperparameters": {"lam": 0.1}, "score": 27.5, "seconds": 1.0, "state": "ok", "reason": ""},
        {
            "number": 1,
            "hyperparameters": {"lam": 9.0},
            "score": None,
            "seconds": 2.0,
            "state": "failed",
            "reason": "nan",
        },
    ]
    (folder / "trials.json").write_text(json.dumps(trials))
    start = 1_770_000_000.0
    losses = [f"train_loss,{step},{start + step},{1 / (step + 1)}" for step in range(steps)]
    loads = [f"system/cpu_percent,{step},{start + step},{50 + step % 7}" for step in range(steps)]
    (folder / "curves.csv").write_text("\n".join(["name,step,time,value", *losses]) + "\n")
    (folder / "system.csv").write_text("\n".join(["name,step,time,value", *loads]) + "\n")
    for name in list(outcome.per_image)[:2]:
        (folder / "pictures" / f"{name}.png").write_bytes(png())
    (folder / "checkpoint.ckpt").write_bytes(b"weights" * 1000)
    return folder
