"""Keys: what moves a score changes them, what does not leaves them alone; and the command line of a run."""

import shlex

import pytest
import toy

from bench.cli import parser
from bench.contract import registry
from bench.errors import BenchError
from bench.runs import provenance
from bench.runs.spec import Request, build, check_hyperparameters, constructor_defaults, identity, keys, parse_method


@pytest.fixture
def shrink(tmp_path):
    return toy.method_file(tmp_path, "shrink", toy.SHRINK)


def keys_of(path, track=toy.MINI, **changes):
    request = Request(track.id, path, **changes)
    return keys(identity(request, registry.load_method(path), track))


def test_the_same_request_has_the_same_key(shrink):
    assert keys_of(shrink) == keys_of(shrink)


def test_the_seed_changes_the_key_and_not_the_group(shrink):
    (first, group), (second, same) = keys_of(shrink, seed=0), keys_of(shrink, seed=1)
    assert first != second
    assert group == same


def test_which_seeds_were_asked_for_together_changes_nothing(shrink):
    assert keys_of(shrink, seeds=(0,)) == keys_of(shrink, seeds=(0, 1, 2))


@pytest.mark.parametrize(
    "changes",
    [
        {"hyperparameters": {"factor": 0.5}},
        {"limit": 2},
        {"steps": 5},
        {"label": "other"},
        {"devices": 2},
        {"accelerator": "cuda"},
        {"track": toy.track("mini", version=2)},
        {"track": toy.track("mini", options={"sigma": 0.2})},
        {"track": toy.EXACT},
    ],
)
def test_what_moves_scores_changes_key_and_group(shrink, changes):
    assert not set(keys_of(shrink)) & set(keys_of(shrink, **changes))


def test_a_changed_source_has_a_new_key(shrink, tmp_path):
    before = keys_of(shrink)
    toy.method_file(tmp_path, "shrink", toy.SHRINK.replace("* y", "* y + 0"))
    assert not set(before) & set(keys_of(shrink))


def test_a_changed_neighbour_has_a_new_key(tmp_path):
    (tmp_path / "toy_gain.py").write_text("GAIN = 1\n")
    path = toy.method_file(tmp_path, "mine", "import toy_gain\nreturn toy_gain.GAIN * y")
    before = keys_of(path)
    (tmp_path / "toy_gain.py").write_text("GAIN = 2\n")
    assert not set(before) & set(keys_of(path))


def test_a_changed_package_has_a_new_key(shrink, monkeypatch):
    before = keys_of(shrink)
    monkeypatch.setattr(provenance, "versions", lambda: {"torch": "99"})
    assert keys_of(shrink) != before


def test_the_recipe_of_a_learned_method_is_part_of_its_key(tmp_path, monkeypatch):
    path = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    method = registry.load_method(path)
    before = keys(identity(Request("toy:mini", path), method, toy.MINI))
    monkeypatch.setattr(method, "learning_rate", 5e-4)
    assert keys(identity(Request("toy:mini", path), method, toy.MINI)) != before


@pytest.mark.parametrize(
    ("text", "name", "hyperparameters"),
    [
        ("tv", "tv", {}),
        ("tv:lam=0.1,iterations=50", "tv", {"lam": 0.1, "iterations": 50}),
        ("direct:window=hann", "direct", {"window": "hann"}),
        ("a/b.py:on=True, words = x y", "a/b.py", {"on": True, "words": "x y"}),
    ],
)
def test_methods_are_read_from_text(text, name, hyperparameters):
    assert parse_method(text) == (name, hyperparameters)


@pytest.mark.parametrize("text", ["tv:lam", "tv:=1"])
def test_unreadable_hyperparameters_are_told_how_to_be_written(text):
    with pytest.raises(BenchError, match="METHOD:name=value"):
        parse_method(text)


def test_the_command_repeats_the_run(shrink):
    asked = {"factor": 0.5, "word": "two words"}
    request = Request("toy:mini", shrink, asked, 1, (1, 2), limit=3, steps=4, label="my label", devices=2)
    words = shlex.split(request.command)
    assert words[0] == "bench"
    options = parser().parse_args(words[1:])
    assert parse_method(options.method[0]) == (shrink, asked)
    assert (options.tracks, options.seed, options.limit) == (["toy:mini"], [1, 2], 3)
    assert (options.steps, options.label, options.devices) == (4, "my label", 2)


@pytest.mark.parametrize(
    ("changes", "protocol", "label"),
    [
        ({}, True, ""),
        ({"label": "x"}, True, "x"),
        ({"limit": 2}, False, "limit=2"),
        ({"steps": 9}, False, "steps=9"),
        ({"hyperparameters": {"a": 1, "b": "u/v"}, "limit": 2}, False, "a=1,b=u-v,limit=2"),
        ({"limit": 2, "label": "x"}, False, "x"),
    ],
)
def test_what_goes_beyond_the_protocol_is_labelled(changes, protocol, label):
    request = Request("toy:mini", "tv", **changes)
    assert (request.protocol, request.board_label) == (protocol, label)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"facto": 1}, "no hyperparameter of shrink is called 'facto'. Did you mean factor?"),
        ({"zzz": 1}, "Known: factor."),
        ({"channels": 1}, "no hyperparameter of shrink is called 'channels'"),
        ({"factor": "high"}, "shrink:factor=high is not a finite number, and its default is 0.9."),
        ({"factor": True}, "is not a finite number"),
        ({"factor": float("inf")}, "is not a finite number"),
    ],
)
def test_wrong_hyperparameters_are_told(shrink, asked, reason):
    with pytest.raises(BenchError) as caught:
        check_hyperparameters("shrink", registry.load_method(shrink), toy.MINI, asked)
    assert reason in str(caught.value)


def test_what_the_track_declares_for_direct_may_be_asked_for():
    direct = registry.load_method("direct")
    check_hyperparameters("direct", direct, registry.track("ct"), {"window": "hann"})
    with pytest.raises(BenchError, match="Did you mean window"):
        check_hyperparameters("direct", direct, registry.track("ct"), {"windw": "hann"})


def test_the_track_fills_in_what_the_constructor_asks_for():
    built = build(registry.load_method("unet"), registry.track("qsm"), {"width": 2, "levels": 1})
    assert any(parameter.ndim == 5 for parameter in built.parameters())
    assert set(constructor_defaults(registry.load_method("unet"))) == {"width", "levels"}
