"""Golden scores of the referee: measurements, tuning, training and scoring as the present protocol has them.

They stand in `golden.json` with the number of the protocol. A change of `bench` that moves one makes all older rows
incomparable: it raises `bench.runs.key.PROTOCOL`, and the values that the failing test shows are the new golden ones.
"""

import json
from pathlib import Path

import pytest
import toy

from bench.contract import registry
from bench.contract.task import Budget
from bench.runs import key
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store")

FILE = Path(__file__).with_name("golden.json")
SAMPLER = "return y + 0.05 * torch.randn(y.shape)"
# Processors sum in single precision in an order of their own: a training carries that on, a search by a model more so.
TOLERANCE = {"tuned": 1e-6, "sampler": 1e-6, "learned": 1e-4, "searched": 1e-2}


def golden() -> dict:
    return json.loads(FILE.read_text(encoding="utf-8"))


def scores(result: Result) -> dict[str, float]:
    assert result.status == "ok", result.reason
    return {f"{name} {metric}": value for name, row in result.per_image.items() for metric, value in row.items()}


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The present values of everything that is golden."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "0")
    monkeypatch.setenv("PL_SEED_WORKERS", "1")

    def run(name, body, base="Method", seed=0):
        path = toy.method_file(tmp_path, name, body, base)
        return Result.read(toy.perform_here(toy.spec(path, seed=seed)) / "result.json")

    tuned = run("shrink", toy.SHRINK.replace("float = 0.9", "float = 0.3"), seed=1)
    learned = run("net", toy.TINY_NETWORK, "LearnedMethod")
    sampler = run("sampler", SAMPLER)
    track = toy.track("mini", budget=Budget(trials=7, images=2))
    monkeypatch.setattr(registry, "track", lambda name: track)
    searched = run("shrink", toy.SHRINK)
    return {
        "measurements": {"hash": tuned.data_hash, **tuned.image_hashes},
        "tuned": {**tuned.hyperparameters, **scores(tuned)},
        "learned": {"chosen_step": learned.training["chosen_step"], **scores(learned)},
        "sampler": scores(sampler),
        "searched": {**searched.hyperparameters, "psnr": searched.mean("psnr")},
    }


def moved(kept: dict, found: dict) -> list[str]:
    """The names of what differs: bits exactly, numbers beyond their tolerance."""
    names = []
    for group in {**kept, **found}:
        one, other = kept.get(group, {}), found.get(group, {})
        for name in {**one, **other}:
            if name not in one or name not in other:
                names.append(f"{group} {name}")
            elif group in TOLERANCE:
                same = other[name] == pytest.approx(one[name], abs=TOLERANCE[group], rel=0)
                names += [] if same else [f"{group} {name}"]
            elif one[name] != other[name]:
                names.append(f"{group} {name}")
    return names


def test_a_golden_score_that_moves_raises_the_protocol(found):
    kept = golden()
    shown = json.dumps({"protocol": key.PROTOCOL, **found}, indent=1)
    assert kept.pop("protocol") == key.PROTOCOL, f"PROTOCOL was raised: write these values into {FILE.name}:\n{shown}"
    names = moved(kept, found)
    assert not names, (
        f"{', '.join(names[:3])} moved under protocol {key.PROTOCOL}: raise PROTOCOL in bench/runs/key.py, "
        f"which makes every older row stale, and write these values into {FILE.name}:\n{shown}"
    )


@pytest.mark.parametrize(
    ("group", "name", "change", "expected"),
    [
        ("measurements", "hash", lambda text: text[::-1], True),
        ("tuned", "factor", lambda value: value + 2e-6, True),
        ("tuned", "test-3 psnr", lambda value: value - 2e-6, True),
        ("tuned", "test-3 psnr", lambda value: value + 2e-7, False),
        ("learned", "chosen_step", lambda step: step + 1, True),
        ("learned", "test-0 psnr", lambda value: value + 2e-4, True),
        ("sampler", "test-4 mae", lambda value: value + 2e-6, True),
        ("searched", "factor", lambda value: value + 0.02, True),
    ],
)
def test_a_change_of_each_kind_is_seen(group, name, change, expected):
    kept = golden()
    other = json.loads(json.dumps(kept))
    other[group][name] = change(kept[group][name])
    kept.pop("protocol"), other.pop("protocol")
    assert moved(kept, other) == ([f"{group} {name}"] if expected else [])


def test_a_score_that_is_missing_is_seen():
    kept = golden()
    del kept["protocol"]
    less = {group: dict(values) for group, values in kept.items()}
    del less["tuned"]["test-0 psnr"]
    assert moved(kept, less) == moved(less, kept) == ["tuned test-0 psnr"]
