"""A run with weights that authors published: no training, a key of its own, a marked row, and it can be verified."""

import authors
import pytest
import torch
import toy
from fabricate import PROTOCOL, SCORED, code, result, sources

from bench.cli import main
from bench.contract.registry import load_method, track
from bench.data import manifest as data
from bench.data import weights
from bench.errors import BenchError
from bench.leaderboard import board_rows, selection
from bench.leaderboard.agreement import agreement, compare
from bench.leaderboard.entries import Published
from bench.leaderboard.staleness import Now, here
from bench.runs import checkpoints
from bench.runs.records import Result

pytestmark = pytest.mark.usefixtures("toys", "store", "untracked", "signals")


@pytest.fixture
def net(tmp_path, monkeypatch):
    """The path of a method whose weights `toys/net.pt` are at hand."""
    root = tmp_path / "root" / "weights" / "toys"
    root.mkdir(parents=True)
    authors.declare(tmp_path / "manifests", {"net.pt": authors.network(root / "net.pt")})
    monkeypatch.setattr(data, "_weights_folder", lambda: tmp_path / "manifests")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "root"))
    data.manifests.cache_clear()
    data.manifest.cache_clear()
    yield toy.method_file(tmp_path, "net", authors.NETWORK, "LearnedMethod")
    data.manifests.cache_clear()
    data.manifest.cache_clear()


@pytest.fixture
def sha256(net):
    return weights.find("toys/net.pt", "net").sha256


def test_the_hash_of_the_weights_is_part_of_the_key_and_the_seed_is_too(net, sha256):
    plain, with_weights = toy.spec(net), toy.spec(net, checkpoint=sha256)
    assert with_weights.key != plain.key
    assert with_weights.checkpoint == sha256
    assert (with_weights.label, with_weights.protocol) == ("weights=net", False)
    assert "--weights toys/net.pt" in with_weights.command


def test_how_the_track_trains_moves_no_key_of_theirs(net, sha256, monkeypatch):
    from bench.contract import registry

    before = toy.spec(net).key, toy.spec(net, checkpoint=sha256).key
    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", training_version=2))
    after = toy.spec(net).key, toy.spec(net, checkpoint=sha256).key
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_a_run_uses_them_and_keeps_no_copy(net, sha256):
    folder = toy.perform_here(toy.spec(net, checkpoint=sha256))
    found = Result.read(folder / "result.json")
    assert (found.status, found.reason) == ("ok", "")
    assert found.hyperparameters == {"width": 3}
    assert found.training["weights"] == "toys/net.pt"
    assert found.training["trained_on"] == "100 images of the authors"
    assert found.parameters == 3 * 9 + 3 + 3 * 9 + 1
    assert not (folder / checkpoints.CHECKPOINT).exists()
    method = load_method(net)(width=3)
    tensors = weights.tensors(weights.by_hash(sha256))
    with torch.no_grad():
        method.network[0].weight.copy_(tensors["first"])
        method.network[2].weight.copy_(tensors["last"])
        for i in (0, 2):
            method.network[i].bias.zero_()
    fresh = load_method(net)(width=3)
    assert checkpoints.restore(fresh, track("toy:mini"), sha256) == found.training
    y = torch.rand(1, 1, 16, 16)
    assert torch.equal(fresh(y, None), method(y, None))


def test_what_does_not_fit_is_one_line(net, sha256, tmp_path):
    def reason(path, **hyperparameters):
        spec = toy.spec(path, hyperparameters=hyperparameters, checkpoint=sha256)
        return Result.read(toy.perform_here(spec) / "result.json").reason

    assert reason(net, width=7) == "the weights toys/net.pt are of width=3, not of width=7."
    (tmp_path / "other").mkdir()
    for body, told in {
        authors.NETWORK.replace('tensors["last"]', 'tensors["middle"]'): "are not of Toy: KeyError: 'middle'.",
        authors.NETWORK.replace('{"width": len(tensors["first"])}', "{}"): "do not fit Toy here: Error(s) in loading",
        toy.TINY_NETWORK: "Toy has no hook `published`",
    }.items():
        line = reason(toy.method_file(tmp_path / "other", "net", body, "LearnedMethod"))
        assert told in line
        assert "\n" not in line


def test_a_track_that_tests_on_their_training_data_refuses_them(net, sha256, monkeypatch):
    from bench.contract import registry

    monkeypatch.setattr(registry, "track", lambda name: toy.track("mini", tested_on=("their-images",)))
    with pytest.raises(BenchError, match=r"toy:mini refuses the weights toys/net\.pt"):
        toy.spec(net, checkpoint=sha256)


def test_on_the_command_line_a_wrong_name_is_one_line(net, capsys):
    for words, told in (
        (
            ["--weights", "toys/nat.pt"],
            "no file of published weights is called 'toys/nat.pt'. Did you mean toys/net.pt?",
        ),
        (["--weights", "toys/net.pt", "--checkpoint", "abc"], "argument --checkpoint: not allowed with argument --wei"),
    ):
        try:
            status = main(["run", "toy", "-m", net, *words, "--cpu"])
        except SystemExit as end:
            status = end.code
        assert status == 2
        assert told in capsys.readouterr().err


WEIGHTS = {"weights": "toys/net.pt", "origin": "https://there/net.pt", "terms": "MIT", "trained_on": "their images"}


@pytest.fixture
def now():
    return Now(
        PROTOCOL,
        sources,
        code,
        lambda name, learned: (1, SCORED),
        lambda: {"direct": "handcrafted", "unet": "post_processing"},
    )


def row(now, figures=None):
    changes = {"label": "weights=net", "checkpoint": "a" * 64, "training": WEIGHTS}
    made, problems = selection.entries([result("unet", **changes), result("direct")], now, published=figures)
    assert not problems
    (board,) = board_rows.boards(made, now)
    return next(one for one in board.rows if one.entry.label)


def test_its_row_is_unranked_and_says_why(now):
    found = row(now)
    assert found.place is None
    assert found.role == "published weights, external data"
    assert found.reason == "published weights, external data: trained by its authors on their images"
    assert found.notes == ["weights toys/net.pt of https://there/net.pt (terms: MIT)"]


def test_the_papers_figure_stands_beside_it_alone(now):
    figure = Published(value=29.23, metric="psnr", source="A paper, 2017")
    assert row(now, {("denoising:mini", "unet@weights=net"): figure}).entry.published == figure
    assert row(now, {("denoising:mini", "unet"): figure}).entry.published is None


def test_it_is_verified_as_any_entry(net, sha256, monkeypatch):
    """The spec that is made again from its entry gives equal bits."""
    from bench.engines import rerun

    found = Result.read(toy.perform_here(toy.spec(net, checkpoint=sha256)) / "result.json")
    made, problems = selection.entries([found], here())
    assert not problems
    (entry,) = made
    again = rerun.spec_again(entry, 0, toy.spec(net).method, 2, train=False)
    assert (again.checkpoint, again.hyperparameters) == (sha256, {"width": 3})
    second = Result.read(toy.perform_here(again) / "result.json")
    comparisons = compare(entry, {0: second.per_image}, second.image_hashes)
    assert (agreement(comparisons), len(comparisons)) == ("bits", 2)
