"""A spec: read from the words of a command, labelled where it goes beyond the protocol, and repeated by its command."""

import shlex
from types import SimpleNamespace

import pytest
import toy

from bench.cli import parser
from bench.errors import BenchError
from bench.runs.spec import LONGEST_LABEL, Spec, Wish, asks_for, board_label, citation_of, command, parse_method


@pytest.mark.parametrize(
    ("text", "name", "hyperparameters"),
    [
        ("tv", "tv", {}),
        ("tv:lam=0.1,iterations=50", "tv", {"lam": 0.1, "iterations": 50}),
        ("direct:window=hann", "direct", {"window": "hann"}),
        ("a/b.py:on=True, words = x y", "a/b.py", {"on": True, "words": "x y"}),
        ("net:on=true,off=false", "net", {"on": True, "off": False}),
    ],
)
def test_methods_are_read_from_text(text, name, hyperparameters):
    assert parse_method(text) == (name, hyperparameters)


@pytest.mark.parametrize("text", ["tv:lam", "tv:=1"])
def test_unreadable_hyperparameters_are_told_how_to_be_written(text):
    with pytest.raises(BenchError, match="METHOD:name=value"):
        parse_method(text)


def test_the_command_repeats_the_run():
    asked = {"factor": 0.5, "word": "two words"}
    wish = Wish(seeds=[1, 2], limit=3, steps=4, label="mine", devices=2, control="oracle", checkpoint="0123456789")
    words = shlex.split(command("toy:mini", "shrink.py", asked, wish, True))
    assert words[0] == "bench"
    options = parser().parse_args(words[1:])
    assert parse_method(options.method[0]) == ("shrink.py", asked)
    assert (options.tracks, options.seed, options.limit) == (["toy:mini"], [1, 2], 3)
    assert (options.steps, options.label, options.devices) == (4, "mine", 2)
    assert (options.oracle, options.defaults, options.checkpoint, options.cpu) == (True, False, "0123456789", True)


def test_the_command_repeats_how_a_training_computes():
    wish = Wish(seeds=[0], precision="bf16-mixed", accumulate=2, compile=True)
    options = parser().parse_args(shlex.split(command("toy:mini", "net", {}, wish, False))[1:])
    assert (options.precision, options.accumulate, options.compile) == ("bf16-mixed", 2, True)


@pytest.mark.parametrize(
    ("asked", "label"),
    [
        ({"precision": "bf16-mixed"}, "precision=bf16-mixed"),
        ({"accumulate": 2}, "accumulate=2"),
        ({"compile": True}, "compile=True"),
        ({"steps": 4, "compile": True, "accumulate": 2}, "steps=4,accumulate=2,compile=True"),
    ],
)
def test_how_a_training_computes_is_part_of_the_key_where_it_is_asked_for(toys, tmp_path, asked, label):
    network = toy.method_file(tmp_path, "net", toy.TINY_NETWORK, "LearnedMethod")
    plain, other = toy.spec(network), toy.spec(network, **asked)
    assert (other.label, other.protocol, plain.protocol) == (label, False, True)
    assert other.key != plain.key
    same = toy.spec(network, precision="32-true", accumulate=1, compile=False)
    assert same.key == plain.key
    assert Spec.from_json(other.to_json()) == other


def test_a_method_that_does_not_train_computes_as_ever(toys, shrink):
    plain, other = toy.spec(shrink), toy.spec(shrink, precision="bf16-mixed", accumulate=2, compile=True, steps=7)
    assert (other.key, other.label, other.protocol) == (plain.key, "", True)
    assert other.command == plain.command


def test_a_plain_command_is_short():
    assert command("ct:mini", "tv", {}, Wish(seeds=[0]), False) == "bench run ct:mini -m tv --seed 0"


@pytest.mark.parametrize(
    ("changes", "protocol", "label"),
    [
        ({}, True, ""),
        ({"label": "x"}, True, "x"),
        ({"limit": 2}, False, "limit=2"),
        ({"hyperparameters": {"factor": 0.5}, "limit": 2}, False, "factor=0.5,limit=2"),
        ({"limit": 2, "label": "x"}, False, "x"),
        ({"control": "defaults"}, False, "defaults"),
        ({"control": "oracle", "limit": 2}, False, "oracle,limit=2"),
    ],
)
def test_what_goes_beyond_the_protocol_is_labelled(toys, shrink, changes, protocol, label):
    spec = toy.spec(shrink, **changes)
    assert (spec.protocol, spec.label) == (protocol, label)
    assert spec.name == (f"shrink@{label}" if label else "shrink")


@pytest.mark.parametrize(
    "label", ["Müller", "a/b", "a b", "../up", ".hidden", "-x", "a\n", "<b>", "x" * 300, "x" * (LONGEST_LABEL + 1)]
)
def test_a_label_that_cannot_name_a_file_is_refused(label):
    with pytest.raises(BenchError, match=r"cannot name a file.*Give another by --label\.") as caught:
        board_label(Wish(seeds=[0], label=label), {})
    assert "\n" not in str(caught.value)


def test_hyperparameters_that_cannot_name_a_file_need_a_label(shrink):
    wish = Wish(seeds=[0])
    with pytest.raises(BenchError, match=r"the label 'words=u/v' cannot name a file"):
        board_label(wish, {"words": "u/v"})
    assert board_label(Wish(seeds=[0], label="uv"), {"words": "u/v"}) == "uv"


def test_the_longest_label_is_taken():
    assert board_label(Wish(seeds=[0], label="x" * LONGEST_LABEL), {}) == "x" * LONGEST_LABEL


def test_a_spec_is_carried_as_text(toys, shrink):
    spec = toy.spec(shrink, hyperparameters={"factor": 0.5}, limit=2)
    assert Spec.from_json(spec.to_json()) == spec


def test_the_citation_names_an_author_and_a_year():
    docstring = "x = y\n\nA. Uthor, *Title*,\nJournal 3, 2026.\n\nPlain words."
    assert citation_of(docstring) == "A. Uthor, *Title*, Journal 3, 2026."
    assert citation_of("x = y\n\nPlain words in 2026.") == ""
    assert citation_of("x = y") == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("two_stage", True),
        ("two_stage+unet", True),
        ("two_stage+unet@classes=2", True),
        ("two_stage:reconstruction=unet", True),
        ("two_stage:reconstruction=unet,classes=2", True),
        ("my/two_stage.py", True),
        ("my/two_stage.py:classes=2", True),
        ("unet", False),
        ("two_stage+tv", False),
        ("two_stage@classes=2", False),
        ("two_stage:reconstruction=tv", False),
        ("two_stage:classes=3", False),
        ("two_stage:lam=2", False),
        ("my/joint.py", False),
    ],
)
def test_finished_runs_are_asked_for_as_new_ones_are(text, expected):
    hyperparameters = {"reconstruction": "unet", "classes": 2, "sizes": [1, 2]}
    result = SimpleNamespace(method="two_stage+unet", name="two_stage+unet@classes=2", hyperparameters=hyperparameters)
    assert asks_for(text, result) is expected


def test_a_pair_with_a_file_is_asked_for_by_its_path():
    found = SimpleNamespace(method="two_stage+mine", name="two_stage+mine", hyperparameters={"reconstruction": "mine"})
    assert asks_for("two_stage:reconstruction=my/mine.py", found)
    assert not asks_for("two_stage:reconstruction=my/other.py", found)
