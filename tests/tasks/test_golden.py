"""The data of every track without data sets against recorded numbers: a change that moves one needs a new version.

`golden.json` holds, for each such track, its version and its training version if that is not the first, a few moments
of the first sample of each split, and the first score of images, of the operator's direct reconstruction with its
defaults on two test images. Where only training samples move, a new training version is enough.
`python tests/tasks/test_golden.py` records anew the tracks whose versions differ from the recorded ones, and no others.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.contract import registry
from bench.contract.method import Estimate
from bench.contract.operators import direct
from bench.contract.task import Problem, Sample, Track
from bench.data.measurements import Measured, TrainingStream, collate, collate_training, on_device
from bench.evaluation.evaluate import scorer

FILE = Path(__file__).with_name("golden.json")
TRACKS = {track.id: track for track in registry.all_tracks() if not track.data}
MOMENT, SCORE = 1e-6, 1e-4  # tolerances: relative to mean and deviation; in the unit of the score
SCORED_IMAGES = 2

Recorded = dict[str, Any]


def moments(values: torch.Tensor) -> list[float]:
    """Mean, standard deviation, and the mean under a ramp, which also moves when values change places."""
    flat = torch.view_as_real(values).flatten().double() if values.is_complex() else values.flatten().double()
    ramp = torch.linspace(-1, 1, len(flat), dtype=torch.float64)
    return [float(flat.mean()), float(flat.std()), float((ramp * flat).mean())]


def measure(track: Track) -> Recorded:
    problem = registry.load_task(track.task).open(track)
    test = Measured(track, problem, "test", SCORED_IMAGES)
    samples = {
        "test": test[0],
        "val": Measured(track, problem, "val", 1)[0],
        "train": training_sample(track, problem),
    }
    score = scorer(track)
    scores = []
    for image in test:
        _, _, y, params = collate([image])
        x_hat = direct(y, problem.physics(params, torch.device("cpu")))
        scores.append(score(image.id, Estimate(x_hat), image.x[None], params)[track.of_images().primary.name])
    found = {split: {"x": moments(one.x), "y": moments(one.y)} for split, one in samples.items()}
    for split, one in samples.items():
        target = getattr(one, "target", None) or {}
        found[split] |= {name: moments(value) for name, value in target.items()}
    return {**versions(track), "moments": found, "direct": scores}


def training_sample(track: Track, problem: Problem) -> Sample:
    sample = TrainingStream(track, problem, 0, 1)[0]
    if isinstance(sample, Sample):
        return sample
    x, y, _ = on_device(problem, collate_training([sample]), torch.device("cpu"))
    return Sample(sample.id, sample.group, x[0], y[0], {})


def versions(track: Track) -> dict[str, int]:
    """The versions as they are recorded: of the track, and of its training data if they are not the first."""
    training = {} if track.training_version == 1 else {"training_version": track.training_version}
    return {"version": track.version, **training}


def is_recorded(track: Track, recorded: dict[str, Recorded]) -> bool:
    one = recorded.get(track.id, {})
    return {name: one[name] for name in ("version", "training_version") if name in one} == versions(track)


def moved(found: Recorded, recorded: Recorded) -> list[str]:
    """The names of the numbers that differ by more than their tolerance."""
    names = []
    for split, tensors in recorded["moments"].items():
        for name, old in tensors.items():
            new, scale = found["moments"][split][name], abs(old[0]) + old[1]
            if any(abs(a - b) > MOMENT * scale for a, b in zip(new, old, strict=True)):
                names.append(f"{name} of the first {split} sample")
    if any(abs(a - b) > SCORE for a, b in zip(found["direct"], recorded["direct"], strict=True)):
        names.append("the score of direct")
    return names


def verdict(track: Track, found: Recorded, recorded: dict[str, Recorded]) -> str:
    """Empty where all is as recorded, else one line that says why it is not."""
    if not is_recorded(track, recorded):
        return f"{track.id}: version {track.version} is not recorded; run python tests/tasks/test_golden.py"
    names = moved(found, recorded[track.id])
    if names and all(name.endswith("train sample") for name in names):
        return f"{track.id}: {', '.join(names)} moved: needs a new training version (it is {track.training_version})"
    if names:
        return f"{track.id}: {', '.join(names)} moved, so the track needs a new version (it is {track.version})"
    return ""


def record() -> None:
    """Rewrite the entries of the tracks whose version has moved, and drop the tracks that are gone."""
    old = read()
    new = {}
    for name, track in sorted(TRACKS.items()):
        kept = is_recorded(track, old)
        new[name] = old[name] if kept else measure(track)
        print(name, "kept" if kept else "recorded")
    FILE.write_text(json.dumps(new, indent=1) + "\n")


def read() -> dict[str, Recorded]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


@pytest.mark.parametrize("name", TRACKS)
def test_a_track_has_the_recorded_data_or_another_version(name: str) -> None:
    assert not (line := verdict(TRACKS[name], measure(TRACKS[name]), read())), line


def test_all_recorded_tracks_exist() -> None:
    assert set(read()) == set(TRACKS)


def test_a_small_change_is_seen_and_named() -> None:
    track = TRACKS["denoising:mini"]
    recorded = read()
    found = json.loads(json.dumps(recorded[track.id]))
    assert verdict(track, found, recorded) == ""
    found["moments"]["val"]["y"][1] *= 1 + 1e-5
    found["direct"][1] += 1e-3
    line = verdict(track, found, recorded)
    assert "y of the first val sample, the score of direct moved" in line
    assert "needs a new version" in line
    recorded[track.id]["version"] -= 1
    assert "is not recorded" in verdict(track, found, recorded)


def test_a_change_of_training_data_alone_needs_a_new_training_version() -> None:
    track = TRACKS["denoising:mini"]
    recorded = read()
    found = json.loads(json.dumps(recorded[track.id]))
    found["moments"]["train"]["x"][0] *= 1 + 1e-4
    assert "x of the first train sample moved: needs a new training version" in verdict(track, found, recorded)
    other = replace(track, training_version=track.training_version + 1)
    assert "is not recorded" in verdict(other, found, recorded)
    assert verdict(other, found, {track.id: {**found, **versions(other)}}) == ""


if __name__ == "__main__":
    record()
