"""Every check of ``bench check TASK`` passes on a sound track, and fails on one that is broken in its one way."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import toy
from deepinv.physics import Denoising, GaussianNoise

from bench.cli import main
from bench.contract.checks import NOT_TRIED
from bench.contract.space import Float
from bench.contract.task import Images, Metric, Shift, Task, Track
from bench.contract.toy_trial import Breach
from bench.task_checks.checks import DECLARATION_CHECKS, FINDING_CHECKS, TRACK_CHECKS, check_track
from bench.task_checks.declaration import has_its_names
from bench.task_checks.opened import Opened

PSNR, MAE = toy.MINI.metrics
OVERLAP = toy.FINDING.metrics[0]
SOUND = replace(toy.MINI, shifts=(Shift("noise", "noise", {"0.1": {}, "0.2": {"sigma": 0.2}}),))
FINDING = replace(toy.FINDING, metrics=(OVERLAP, PSNR, MAE))
SIGMA = SOUND.options["sigma"]


class Forgetful(Track):
    """Its version is no part of the hash."""

    def scored(self, learned):
        return {name: value for name, value in super().scored(learned).items() if name != "version"}


class Doubled(Denoising):
    def A_adjoint(self, y, **params):
        return 2 * y


class Drifting(Denoising):
    """All operators share what the use of one of them changes."""

    uses = 0

    def A(self, x, **params):
        Drifting.uses += 1
        return x + 1e-5 * Drifting.uses


class Idle(Denoising):
    """Its `direct` has a hyperparameter that it does not use."""

    def direct(self, y, factor=0.5):
        return y


class Scaled(Denoising):
    def direct(self, y, factor=0.5):
        return factor * y


def changed(**changes):
    """``open`` of a toy task whose problem has other parts: each a function of the part that is there."""

    def open_track(track):
        problem = toy.open_track(track)
        return replace(problem, **{name: change(getattr(problem, name)) for name, change in changes.items()})

    return open_track


def images(**changes):
    """``open`` of a toy task whose images have other fields."""
    return changed(images=lambda splits: {split: replace(one, **changes) for split, one in splits.items()})


def measuring(change):
    """``open`` of a toy task whose ``measure`` returns what ``change`` makes of the parts of a measurement."""
    return changed(measure=lambda measure: lambda image, rng: change(*measure(image, rng)))


def operator(kind):
    """``open`` of a toy task with another physics."""
    return changed(physics=lambda _: lambda params, device: kind(GaussianNoise(SIGMA)))


def one_operator(track):
    only = Denoising(GaussianNoise(SIGMA))
    return replace(toy.open_track(track), physics=lambda params, device: only)


def in_folders(track):
    """Images have names that are paths."""
    problem = toy.open_track(track)
    load = problem.images["test"].load
    splits = {
        split: Images(tuple(name.replace("-", "/") for name in one.ids), lambda name: load(name.replace("/", "-")))
        for split, one in problem.images.items()
    }
    return replace(problem, images=splits)


def out_of_reach(track):
    raise RuntimeError("the scanner is switched off")


def alike(_):
    """A simulation that gives all images of a batch one noise and one x."""
    return lambda arrays, generators: (arrays["image"][:, None], arrays["image"][:1, None].expand(2, -1, -1, -1), {})


def in_double(_):
    return lambda arrays, generators: (arrays["image"][:, None].double(), arrays["image"][:, None], {})


def direct_of(declared, space=None):
    return replace(
        SOUND, direct_defaults=declared, direct_space={"factor": Float(0.1, 0.9)} if space is None else space
    )


# The check, what its message says, the track, and how it is opened.
BROKEN = [
    ("plain data", "not JSON serializable", replace(SOUND, options={"sigma": SIGMA, "law": len}), toy.open_track),
    ("plain data", "its version is 0", replace(SOUND, version=0), toy.open_track),
    ("budget", "trials=0", replace(SOUND, budget=replace(SOUND.budget, trials=0)), toy.open_track),
    ("budget", "seconds=0", replace(SOUND, budget=replace(SOUND.budget, seconds=0)), toy.open_track),
    ("metrics", "small letters", replace(SOUND, metrics=(replace(PSNR, name="PSNR"),)), toy.open_track),
    ("metrics", "2 of its metrics are called 'psnr'", replace(SOUND, metrics=(PSNR, PSNR)), toy.open_track),
    (
        "metrics",
        "'toy:lost' of the metric 'ordered' cannot be imported",
        replace(SOUND, metrics=(PSNR, Metric("ordered", "toy:ordered", True, record="toy:lost"))),
        toy.open_track,
    ),
    (
        "metrics",
        "'toy:SIZE' of the metric 'ordered' is no function",
        replace(SOUND, metrics=(PSNR, Metric("ordered", "toy:ordered", True, record="toy:SIZE"))),
        toy.open_track,
    ),
    ("metrics", "classes=0, but a metric of the finding", replace(SOUND, metrics=(OVERLAP, PSNR)), toy.open_track),
    ("metrics", "classes=1, but no metric of the finding", replace(FINDING, metrics=(PSNR,)), toy.open_track),
    ("metrics", "no metric of the image", replace(FINDING, metrics=(OVERLAP,)), toy.open_track),
    (
        "hash of what moves a score",
        "its hash does not follow a change of version",
        Forgetful(**vars(SOUND)),
        toy.open_track,
    ),
    ("opens", "RuntimeError: the scanner is switched off", SOUND, out_of_reach),
    ("opens", "expected train, val, test", SOUND, changed(images=lambda splits: {"test": splits["test"]})),
    ("opens", "the split 'train' has no image", SOUND, images(ids=())),
    ("splits share nothing", "but there are 3", replace(SOUND, budget=replace(SOUND.budget, images=4)), toy.open_track),
    (
        "splits share nothing",
        "no slash",
        SOUND,
        in_folders,
    ),
    ("splits share nothing", "share the group 'scan'", SOUND, images(group=lambda name: "scan")),
    (
        "splits share nothing",
        "is there 2 times",
        SOUND,
        changed(images=lambda splits: splits | {"val": splits["test"]}),
    ),
    (
        "splits share nothing",
        "the first images of 'train' and 'val' are the same",
        SOUND,
        changed(images=lambda splits: {k: replace(v, load=lambda n: np.eye(16)) for k, v in splits.items()}),
    ),
    ("shape, dtype, finite", "channels=1 and dims=3", replace(SOUND, dims=3), toy.open_track),
    ("shape, dtype, finite", "measured_channels=2", replace(SOUND, measured_channels=2), toy.open_track),
    ("shape, dtype, finite", "expected float64", SOUND, measuring(lambda x, y, params: (x.float(), y, params))),
    (
        "shape, dtype, finite",
        "gain of train-0 has NaN",
        SOUND,
        measuring(lambda x, y, params: (x, y, {"gain": torch.tensor(np.inf)})),
    ),
    (
        "the same bits again",
        "y has other bits",
        SOUND,
        changed(measure=lambda measure: lambda image, rng: measure(image, np.random.default_rng())),
    ),
    (
        "shifts",
        "measures the same y at '0.2' and at '0.1'",
        replace(SOUND, shifts=(Shift("noise", "noise", {"0.1": {}, "0.2": {"sigma": SIGMA}}),)),
        toy.open_track,
    ),
    ("training batches", "the same y", SOUND, changed(simulate=alike)),
    ("training batches", "is torch.float64", SOUND, changed(simulate=in_double)),
    ("A maps x to y", "of its norm away", SOUND, measuring(lambda x, y, params: (x, y + 3, params))),
    ("A has its adjoint", "A_adjoint is not the adjoint of A", SOUND, operator(Doubled)),
    ("physics is fresh", "return one operator", SOUND, one_operator),
    ("physics is fresh", "changes what another one", SOUND, operator(Drifting)),
    ("direct: defaults", "the operator's `direct` has {'factor': 0.5}", direct_of({"factor": 0.7}), operator(Scaled)),
    ("direct: defaults", "direct_space searches nothing", direct_of({"factor": 0.5}, space={}), operator(Scaled)),
    ("direct: hyperparameters", "the same image for factor=0.1", direct_of({"factor": 0.5}), operator(Idle)),
    (
        "a better image scores better",
        "mae gets no better",
        replace(SOUND, metrics=(PSNR, replace(MAE, higher_is_better=True))),
        toy.open_track,
    ),
    (
        "targets on the grid of x",
        "torch.float32, expected (1, 16, 16) in float64",
        FINDING,
        measuring(lambda x, y, params, target: (x, y, params, {"map": target["map"].float()})),
    ),
    (
        "targets on the grid of x",
        "leaves [0, 1]",
        FINDING,
        measuring(lambda x, y, params, target: (x, y, params, {"map": 2 * target["map"]})),
    ),
    (
        "the true finding scores best",
        "overlap of the true finding is 1, no better than",
        replace(FINDING, metrics=(replace(OVERLAP, higher_is_better=False), PSNR)),
        toy.open_track,
    ),
]


def outcomes(track, opening=toy.open_track):
    return list(check_track(Opened(Task("toy", "Toys", (track,), opening), track)))


@pytest.mark.parametrize("track", [SOUND, FINDING, toy.SIMULATED], ids=lambda track: track.name)
def test_a_sound_track_passes_all_checks(track):
    found = outcomes(track)
    assert [outcome for outcome in found if not outcome.passed] == []
    checks = DECLARATION_CHECKS | TRACK_CHECKS | (FINDING_CHECKS if track.classes else {})
    assert [outcome.check for outcome in found] == [f"{track.id}: {name}" for name in checks]


@pytest.mark.parametrize(("check", "message", "track", "opening"), BROKEN, ids=[one[1] for one in BROKEN])
def test_a_broken_track_fails_the_one_check_of_what_is_broken(check, message, track, opening):
    failed = [outcome for outcome in outcomes(track, opening) if not outcome.passed]
    assert [outcome.check for outcome in failed] == [f"{track.id}: {check}"]
    assert message in failed[0].message
    assert "\n" not in failed[0].message


def test_every_check_is_seen_to_fail():
    assert {check for check, *_ in BROKEN} == {*DECLARATION_CHECKS, *TRACK_CHECKS, *FINDING_CHECKS}


@pytest.mark.parametrize(
    ("name", "tracks", "message"),
    [
        ("fourth", (toy.MINI,), "the task that is found as 'fourth' calls itself 'toy'"),
        ("toy", (), "it declares no track"),
        ("toy", (toy.MINI, toy.MINI), "2 of its tracks are called 'mini'"),
        ("toy", (replace(toy.MINI, task="third"),), "its track 'mini' says that it is of the task 'third'"),
    ],
)
def test_names_agree(name, tracks, message):
    with pytest.raises(Breach, match=message):
        has_its_names(name, Task("toy", "Toys", tracks, toy.open_track))


def test_a_task_and_one_track_are_checked_by_name(toys, capsys):
    assert main(["check", "toy:mini"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "ok      toy: names"
    assert shown[-1] == f"{1 + len(DECLARATION_CHECKS) + len(TRACK_CHECKS)} passed, 0 failed"
    assert main(["check", "toy"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert {line.split(": ")[0].split()[-1] for line in shown[1:-1]} == {track.id for track in toy.TASK.tracks}
    (absent,) = (line for line in shown if line.startswith("FAILED  toy:absent"))
    assert absent.startswith("FAILED  toy:absent: opens: raised BenchError: data set 'toys' lacks one.png")


def test_a_track_without_its_data_is_told_as_such_and_passes(monkeypatch, store, capsys):
    monkeypatch.delenv("BENCH_DATA", raising=False)
    assert main(["check", "denoising:bsd68-s25"]) == 0
    *_, told, total = capsys.readouterr().out.splitlines()
    assert told.startswith(f"ok      denoising:bsd68-s25: {NOT_TRIED}: data set 'bsd400' lacks")
    assert "bench data get bsd400" in told
    assert total == f"{2 + len(DECLARATION_CHECKS)} passed, 0 failed"
