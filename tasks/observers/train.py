"""Make a frozen observer: `python -m tasks.observers.train TASK` trains it on the true images of the task's mini track.

It writes TASK.npz, the weights in half precision, and TASK.json: their SHA-256, how they were made, and the scores of
their findings in the true test images. The loss is the focal loss, the sum over pixels of −(1 − p_t)² log p_t with p_t
the probability of the true answer, over the number of pixels of the class. Images come in the eight symmetries of the
square.

T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, Focal loss for dense object detection, ICCV 2017.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys

import numpy as np
import torch
from torch import Tensor

from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.task import Problem, Track
from bench.data.measurements import Measured, collate, targets
from bench.evaluation.scores import mean, recorder, scorer
from bench.runs.provenance import commit
from tasks.observers.network import FOLDER, ObserverNetwork

STEPS, BATCH, RATE, WARM_UP = 2000, 4, 5e-3, 0.1  # of Adam; the rate grows for a tenth of the steps, then falls
SEED = 0
FIRST = 2  # test images
CERTAIN = 1e-6  # the loss does not tell probabilities this near to 0 or 1 apart


def main(task: str) -> None:
    track = registry.track(task)
    problem = registry.load_task(track.task).open(track)
    made_by, changed = commit()
    torch.manual_seed(SEED)
    network = ObserverNetwork(track.classes)
    train(network, track, problem)
    halves = {name: value.half() for name, value in network.state_dict().items()}
    network.load_state_dict(halves)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: value.numpy() for name, value in halves.items()})  # type: ignore[arg-type]
    manifest = {
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "command": f"python -m tasks.observers.train {task}",
        "commit": f"{made_by}{' (changed)' if changed else ''}",
        "track": track.id,
        "track_version": track.version,
        "seed": SEED,
        "steps": STEPS,
        "batch": BATCH,
        "scores": scores(network, track, problem),  # on the true test images
        "sum": {name: float(value.sum()) for name, value in first_findings(network, track, problem).items()},
    }
    (FOLDER / f"{track.task}.npz").write_bytes(buffer.getvalue())
    (FOLDER / f"{track.task}.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(manifest, indent=1))


def train(network: ObserverNetwork, track: Track, problem: Problem) -> None:
    data = Measured(track, problem, "train", keep=True)
    rng = np.random.default_rng(SEED)
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=WARM_UP)
    for step in range(STEPS):
        chosen = [data[index] for index in rng.integers(len(data), size=BATCH).tolist()]
        _, x, _, _ = collate(chosen)
        found = targets(chosen)
        assert found is not None
        axes, turned = [axis for axis in (2, 3) if rng.integers(2)], rng.integers(2)
        x, truth = (one.float().flip(axes).mT if turned else one.float().flip(axes) for one in (x, found["map"]))
        optimizer.zero_grad()
        value = loss(network(x), truth)
        value.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 250 == 0:
            print(f"step {step} of {STEPS}: loss {float(value.detach()):.4f}", flush=True)


def loss(finding: Tensor, truth: Tensor) -> Tensor:
    """The focal loss, (), of probabilities (B, classes, H, W) given the truth of the same shape."""
    right = (finding * truth + (1 - finding) * (1 - truth)).clamp(CERTAIN, 1)  # p_t
    pixels = -((1 - right) ** 2) * right.log()
    return (pixels.sum((0, 2, 3)) / (truth.sum((0, 2, 3)) + len(truth))).mean()


@torch.no_grad()
def first_findings(network: ObserverNetwork, track: Track, problem: Problem) -> dict[str, Tensor]:
    """Its findings in the first true test images: a change of the network's code would show in them."""
    data = Measured(track, problem, "test", FIRST)
    return {one.id: network.eval()(one.x[None].float()) for one in (data[index] for index in range(len(data)))}


def scores(network: ObserverNetwork, track: Track, problem: Problem) -> dict[str, float]:
    """The scores of its findings in the true test images."""
    data = Measured(track, problem, "test")
    score, record = scorer(track), recorder(track)
    rows = []
    network.eval()
    for index in range(len(data)):
        (name,), x, _, params = collate([data[index]])
        with torch.no_grad():
            facts = (name, Estimate(finding=network(x.float())), x, params, targets([data[index]]))
        rows.append((score(*facts), record(*facts)))
    found = [metric for metric in track.metrics if metric.of == "finding"]
    return {one.name: mean(one, [row[0] for row in rows], [row[1] for row in rows]) for one in found}


if __name__ == "__main__":
    main(sys.argv[1])
