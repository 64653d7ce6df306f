"""A method inside a method: named, tuned or trained first, part of the key, and there again with a checkpoint."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import toy

from bench.contract import registry
from bench.contract.construct import build, unsupported
from bench.data import cache, measurements
from bench.engines.describe import describe
from bench.engines.finished_runs import measure_run
from bench.errors import BenchError
from bench.leaderboard.board_rows import boards
from bench.leaderboard.page import pages
from bench.leaderboard.selection import entries
from bench.leaderboard.staleness import here
from bench.places import partial, runs
from bench.runs import checkpoints
from bench.runs import run as running
from bench.runs.checkpoints import CHECKPOINT
from bench.runs.records import Result
from bench.tracking import fields

pytestmark = pytest.mark.usefixtures("toys", "store", "untracked")

INSIDE_OF_A_NETWORK = toy.READER.replace(".requires_grad_(False)", "").replace('"shrink"', '"net"')
SCRATCH = """
    @classmethod
    def prepares_inner(cls, hyperparameters):
        return False
"""


@pytest.fixture
def reader(tmp_path) -> str:
    return toy.method_file(tmp_path, "reader", toy.READER, "LearnedMethod")


@pytest.fixture
def network(tmp_path) -> str:
    return toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")


def asked(outer, inner, **wish):
    return toy.spec(outer, "toy:finding", {"reconstruction": inner}, **wish)


def do(spec) -> Result:
    result = Result.read(toy.perform_here(spec) / "result.json")
    assert result.status == "ok", result.reason
    return result


def ignoring_the_track(generator):
    """So that two tracks measure an image with the same noise."""
    return lambda *parts: generator(*(str(part).replace("toy:finding", "toy:mini") for part in parts))


def test_the_inner_method_is_tuned_on_images_and_then_stays_as_it_is(reader, shrink, monkeypatch):
    worse = Path(shrink).read_text().replace("float = 0.9", "float = 0.3")  # a start from which tuning has to go
    Path(shrink).write_text(worse)
    monkeypatch.setattr(measurements, "generator", ignoring_the_track(measurements.generator))
    result = do(asked(reader, shrink))
    alone = do(toy.spec(shrink))
    inner = result.training["inner"]
    assert inner["method"] == "shrink"
    assert inner["trials"] == toy.MINI.budget.trials
    assert inner["hyperparameters"] == pytest.approx(alone.hyperparameters)
    assert inner["hyperparameters"]["factor"] != 0.3
    assert result.hyperparameters == {"reconstruction": "shrink"}
    assert set(result.per_image["test-0"]) == {"overlap", "ordered", "psnr", "mae"}
    shrunk = build(registry.load_method(shrink), toy.MINI, inner["hyperparameters"])
    sample = measurements.Measured(toy.FINDING, toy.open_track(toy.FINDING), "test")[0]
    assert result.per_image["test-0"]["psnr"] == pytest.approx(
        toy.psnr(shrunk(sample.y[None], None).double(), sample.x[None], {}), abs=1e-5
    )


def test_a_pair_is_a_method_of_its_own_in_the_protocol(reader, shrink, network):
    first, second = asked(reader, shrink), asked(reader, network)
    assert (first.method.name, second.method.name) == ("reader+shrink", "reader+net")
    assert first.key != second.key
    assert (first.protocol, first.label, first.hyperparameters) == (True, "", {})
    assert set(first.method.sources) == {"reader.py", "shrink.py"}
    assert "reconstruction.factor" in first.method.space
    assert "reader.py:reconstruction=" in first.command
    path = Path(shrink)
    path.write_text(path.read_text().replace("0.9", "0.8"))
    assert asked(reader, shrink).key != first.key


def test_a_trained_inner_method_learns_from_images_first(reader, network):
    result = do(asked(reader, network))
    assert result.training["inner"]["steps"] == result.training["steps"] == toy.FINDING.budget.steps
    assert "val_psnr" in result.training["inner"]
    assert "val_overlap" in result.training
    assert result.parameters == 2  # the analysis alone is trained in the second stage
    curves = (runs() / result.key / "curves.csv").read_text()
    assert "net/train_loss" in curves
    assert "\ntrain_loss" in curves


def test_a_method_may_want_its_inner_method_untrained(tmp_path, network):
    outer = toy.method_file(tmp_path, "joint_toy", INSIDE_OF_A_NETWORK + SCRATCH, "LearnedMethod")
    result = do(asked(outer, network))
    assert "inner" not in result.training
    assert result.parameters > 50
    assert do(asked(outer, network, checkpoint=result.key)).per_image == result.per_image


def test_a_ready_inner_method_is_not_made_again_after_an_interruption(reader, shrink, monkeypatch):
    spec = asked(reader, shrink)
    tuned = []
    choose = running.choose
    monkeypatch.setattr(running, "choose", lambda *a: (tuned.append(a[3].__name__), choose(*a))[1])
    fit = running.fit

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        toy.perform_here(spec)
    assert len(list(cache.folder().glob("inner-*.pt"))) == 1
    monkeypatch.setattr(running, "fit", fit)
    tuned.clear()
    resumed = do(spec)
    assert len(tuned) == 1  # of the outer method, which has no search space
    shutil.rmtree(cache.folder())
    shutil.rmtree(partial(spec.key))
    anew = do(spec)
    assert anew.per_image == resumed.per_image
    assert anew.training["inner"] == resumed.training["inner"]


def test_runs_that_ask_for_the_same_inner_method_share_it(reader, tmp_path, network, monkeypatch):
    other = toy.method_file(tmp_path, "joint_toy", INSIDE_OF_A_NETWORK, "LearnedMethod")
    trained = []
    fit = running.fit
    monkeypatch.setattr(running, "fit", lambda *a, **o: (trained.append(a[0]), fit(*a, **o))[1])
    first = do(asked(reader, network))
    second = do(asked(other, network))
    assert len(trained) == 3  # the network once, and both readers
    assert first.training["inner"] == second.training["inner"]
    assert first.training["inner"]["made_by"] == first.key
    curves = [(runs() / one.key / "curves.csv").read_text().splitlines() for one in (first, second)]
    of_inner = [[line for line in lines if line.startswith("net/")] for lines in curves]
    assert of_inner[0] == of_inner[1] != []


def test_a_damaged_file_is_made_again_and_a_cache_that_cannot_be_written_costs_nothing_else(reader, shrink, store):
    first = do(asked(reader, shrink))
    (kept,) = cache.folder().glob("inner-*.pt")
    content = kept.read_bytes()
    kept.write_bytes(content[:100] + b"x" + content[101:])
    shutil.rmtree(runs() / first.key)
    assert do(asked(reader, shrink)).per_image == first.per_image
    assert kept.read_bytes() == content
    shutil.rmtree(cache.folder())
    cache.folder().write_text("in the way")
    shutil.rmtree(runs() / first.key)
    assert do(asked(reader, shrink)).per_image == first.per_image


def test_what_verifies_an_entry_and_code_that_is_not_committed_share_nothing(reader, shrink):
    spec = asked(reader, shrink)
    assert checkpoints.place_of_inner(spec, "shrink", toy.FINDING).parent == cache.folder()
    places = [
        checkpoints.place_of_inner(spec.model_copy(update=change), "shrink", toy.FINDING)
        for change in ({"dirty_reason": ""}, {"dirty_reason": "bench/x.py"}, {"label": "verify"}, {"devices": 2})
    ]
    assert len(set(places[:3])) == 3
    assert places[2] == places[3] == partial(spec.key) / "inner.pt"


def test_another_seed_or_other_code_makes_another_inner_method(reader, shrink):
    seeds = [do(asked(reader, shrink, seed=seed)) for seed in (0, 1)]
    path = Path(shrink)
    path.write_text(path.read_text().replace("0.9", "0.8"))
    changed = do(asked(reader, shrink))
    assert [one.training["inner"]["made_by"] for one in (*seeds, changed)] == [seeds[0].key, seeds[1].key, changed.key]
    assert len(list(cache.folder().glob("inner-*.pt"))) == 3


def test_weights_come_back_with_the_values_of_the_inner_method(reader, shrink):
    first = do(asked(reader, shrink))
    again = do(asked(reader, shrink, checkpoint=first.key))
    assert again.per_image == first.per_image
    assert again.training["learned_by"] == first.key
    assert (runs() / again.key / CHECKPOINT).exists()


def test_a_pair_is_timed(reader, shrink):
    result = do(asked(reader, shrink))
    assert "s an image" in measure_run(str(runs() / result.key), lambda stage: None)


def test_a_pair_of_the_suite_has_a_name_that_stands_for_it(shrink):
    file = registry.method_file("two_stage+tv")
    assert (file.name, file.family, file.inner) == ("two_stage+tv", "raw_to_task", "tv")
    found = here().sources("two_stage+tv")
    assert {"baselines/raw_to_task/two_stage.py", "baselines/handcrafted/tv.py"} <= set(found)
    track = "nodules:mini"
    by_name, by_value = (
        describe(name, [track], values, None)[track]
        for name, values in (("two_stage+tv", {}), ("two_stage", {"reconstruction": "tv"}))
    )
    assert by_name["sources"] == by_value["sources"] == found
    assert by_name["name"] == by_value["name"] == "two_stage+tv"


@pytest.mark.parametrize(
    ("reference", "values", "reason"),
    [
        ("two_stage", {"reconstruction": "tvv"}, "Did you mean tv or tgv?"),
        ("two_stage", {"reconstruction": "joint"}, "joint cannot be the inner method of another"),
        ("two_stage", {"reconstruction": "oracle"}, "oracle cannot be the inner method of another"),
        ("tv+direct", {}, "tv takes no inner method."),
        ("joint", {"reconstruction": "tv"}, "TV has no weights that a joint training could move."),
    ],
)
def test_a_wrong_pair_is_one_line(reference, values, reason):
    with pytest.raises(BenchError) as caught:
        describe(reference, ["nodules:mini"], values, None)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_methods_and_tracks_that_do_not_fit_say_why(reader, shrink):
    load = registry.load_method
    assert unsupported(load(shrink), toy.FINDING) == "it returns no finding, by which the track ranks"
    assert unsupported(load(reader), toy.MINI, shrink) == "it learns from a target, and the track has none"
    assert unsupported(load(reader), toy.FINDING, shrink) == ""
    assert unsupported(load("two_stage"), registry.track("nodules"), "varnet") == "varnet: made for mri, not for ct"
    row = do_unsupported(shrink)
    assert (row.status, row.reason) == ("unsupported", "it returns no finding, by which the track ranks")


def do_unsupported(method) -> Result:
    return Result.read(toy.perform_here(toy.spec(method, "toy:finding")) / "result.json")


def test_boards_and_pages_hold_findings_and_controls(reader, shrink, tmp_path):
    ceiling = toy.method_file(
        tmp_path,
        "ceiling",
        '\n    returns = ("finding",)\n    sees_truth = True\n\n    def forward(self, y, physics):\n'
        "        return Estimate(finding=(y > 0.5).float())\n",
    )
    results = [do(asked(reader, shrink, seed=seed)) for seed in range(3)]
    top = do(toy.spec(ceiling, "toy:finding"))
    assert (top.control, top.protocol, top.label) == ("truth", True, "")
    assert set(top.per_image["test-0"]) == {"overlap", "ordered"}
    assert "psnr" not in fields.numbers(top)
    assert "overlap 1," in fields.description(top)
    results = [one.model_copy(update={"dirty": False}) for one in (*results, top, do_unsupported(shrink))]
    found, problems = entries(results, here())
    assert not problems
    (board,) = boards(found, here())
    rows = {row.entry.name: row for row in board.rows}
    assert board.rows[0].entry.name == "ceiling"
    assert (rows["ceiling"].role, rows["ceiling"].reason) == ("ceiling", "given the true images")
    assert rows["shrink"].reason == "unsupported: it returns no finding, by which the track ranks"
    text = pages([board])["toy/README.md"]
    assert "OVERLAP ↑" in text
    assert "ORDERED ↑" in text
    entry = rows["ceiling"].entry
    kept = json.loads((runs() / top.key / "records.json").read_text())
    records = [one["ordered"] for one in kept.values()]
    assert entry.scores["ordered"] == pytest.approx(toy.ordered(records))


def test_a_plain_instance_needs_no_referee():
    track = registry.track("nodules")
    method = build(registry.load_method("two_stage"), track, {"reconstruction": "tikhonov"})
    assert type(method.reconstruction).__name__ == "Tikhonov"
    assert not any(parameter.requires_grad for parameter in method.reconstruction.parameters())
    assert isinstance(method.analysis.network, torch.nn.Module)
