"""Made-up results and run directories, as `bench run` would leave them."""

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.runs.records import Result, Timing

METRICS = {
    "psnr": {"higher_is_better": True, "unit": "dB", "options": {"data_range": 1.0}},
    "ssim": {"higher_is_better": True, "unit": ""},
}
IMAGES = 6
SCORED = "5c07ed00"  # of the track denoising:mini, as it is now
PROTOCOL = 2


def digest(text: str, length: int = 16) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def sources(method: str) -> dict[str, str]:
    """Code hashes of a method as it is now."""
    return {f"baselines/handcrafted/{method}.py": digest(method), "baselines/solvers/admm.py": digest("admm")}


def code(files: Mapping[str, str]) -> str:
    return digest(json.dumps(dict(files), sort_keys=True))


def result(method: str = "tv", seed: int = 0, level: float = 28.0, **changes: Any) -> Result:
    """A finished run of ``method`` with a PSNR around ``level`` on six images; ``changes`` replace any field.

    ``group`` may be any word: its hash is used.
    """
    images = {f"image-{i}": {"psnr": level + i / 4 + seed / 16, "ssim": 0.75 + i / 64} for i in range(IMAGES)}
    images = changes.setdefault("per_image", images)
    group = digest(changes.pop("group", f"{method} {changes.get('track')} {changes.get('label')}"), 12)
    values: dict[str, Any] = {
        "key": digest(f"{group} {seed}"),
        "group": group,
        "task": "denoising",
        "track": "mini",
        "task_version": 1,
        "title": "Photographs, sigma 25",
        "scored": SCORED,
        "method": method,
        "family": "handcrafted",
        "equation": "min_x 1/2 |x - y|^2 + lam TV(x)",
        "citation": "Rudin, Osher and Fatemi, Physica D 60, 1992",
        "label": "",
        "protocol": not changes.get("label"),
        "protocol_version": PROTOCOL,
        "sources": sources(method),
        "code": code(changes.get("sources", sources(method))),
        "search": digest("search"),
        "seed": seed,
        "seeds": [seed],
        "status": "ok",
        "reason": "",
        "primary": "psnr",
        "metrics": METRICS,
        "groups": {image: image for image in images},
        "test_images": max(len(images), 1) if changes.get("limit") is None else IMAGES,
        "requested": {},
        "hyperparameters": {"lam": 0.1},
        "learned": False,
        "tuning": {"trials": 2, "images": 2, "seconds": 3.0},
        "training": {},
        "parameters": 0,
        "seconds_per_image": 0.25,
        "device": "cpu",
        "devices": 1,
        "accelerator": "cpu",
        "threads": 1,
        "environment": {"torch": "2.15.0", "python": "3.11"},
        "data_hash": "d" * 16,
        "image_hashes": {image: digest(image) for image in images},
        "commit": "c" * 40,
        "dirty": False,
        "command": f"bench run denoising -m {method} --seed {seed}",
        "date": f"2026-03-01T10:00:0{seed}+00:00",
        "seconds": 12.5,
        "limit": None,
    }
    return Result(**(values | changes))


def failed(method: str = "tv", seed: int = 0, **changes: Any) -> Result:
    nothing: dict[str, Any] = {"per_image": {}, "seconds_per_image": None}
    return result(method, seed, **({"status": "failed", "reason": "x_hat is not finite"} | nothing | changes))


def timing(**changes: Any) -> Timing:
    values: dict[str, Any] = {
        "seconds_per_image": 0.125,
        "spread": 0.001,
        "repeats": 3,
        "images": 2,
        "peak_memory_bytes": 3 << 20,
        "peak_memory": "rise of resident size",
        "device": "cpu",
        "threads": 1,
        "load": 0.1,
        "date": "2026-03-01T11:00:00+00:00",
    }
    return Timing(**(values | changes))


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
    (folder / "config.json").write_text(json.dumps({"track": "mini", "long": "x" * 2000}))
    (folder / "environment.json").write_text(json.dumps(outcome.environment))
    splits = {"train": 200, "val": 2, "test": len(outcome.per_image)}
    (folder / "data.json").write_text(json.dumps({"name": "denoising:mini", "splits": splits, "fingerprint": "f" * 16}))
    if outcome.status == "failed":
        (folder / "traceback.txt").write_text(
            '  File "/home/someone/x/bench/evaluation/evaluate.py", line 3\nValueError: nan\n'
        )
        return sealed(folder, outcome)
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
    return sealed(folder, outcome)


def sealed(folder: Path, outcome: Result) -> Path:
    """Write the result of a run directory, with the hashes of its files."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("result.json", "timing.json", "tracked.json")
    }
    (folder / "result.json").write_text(outcome.model_copy(update={"files": files}).to_json())
    return folder
