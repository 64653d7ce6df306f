"""Published weights of toy networks: their manifests and files, made for a test."""

import hashlib
import json
from pathlib import Path

import torch
import toy

NETWORK = (
    toy.TINY_NETWORK
    + """
    @classmethod
    def published(cls, name, tensors):
        return {"width": len(tensors["first"])}, {
            "network.0.weight": tensors["first"],
            "network.0.bias": torch.zeros(len(tensors["first"])),
            "network.2.weight": tensors["last"],
            "network.2.bias": torch.zeros(1),
        }
"""
)


def declare(folder: Path, files: dict[str, bytes], method: str = "net", **changes: object) -> None:
    """The manifest of a set ``toys`` in a folder of manifests."""
    fields: dict[str, object] = dict.fromkeys(("title", "split_unit", "citation", "note"), "words")
    fields |= {
        "name": "weights/toys",
        "repository": "owner/toys",
        "origins": {file: {"commit": "abc", "path": f"there/{file}"} for file in files},
        "terms": "MIT",
        "method": method,
        "trained_on": ["their-images"],
        "training": "100 images of the authors",
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
    }
    folder.mkdir(exist_ok=True)
    (folder / "toys.json").write_text(json.dumps(fields | changes))


def network(path: Path, width: int = 3) -> bytes:
    """Write a file of tensors for `NETWORK`; returns its content."""
    rng = torch.Generator().manual_seed(0)
    first, last = (torch.randn(shape, generator=rng) for shape in ((width, 1, 3, 3), (1, width, 3, 3)))
    torch.save({"first": 0.1 * first, "last": 0.1 * last}, path)
    return path.read_bytes()
