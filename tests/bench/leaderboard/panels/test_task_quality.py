"""Two rankings of the same images, side by side; a trade of places is named only where both tell the two apart."""

import numpy as np
import pytest
from fabricate import METRICS, result

from bench.errors import BenchError
from bench.leaderboard import board_rows, selection
from bench.leaderboard.page import pages
from bench.leaderboard.panels import sensitivity, task_quality
from bench.runs.records import Observed, Sensitivity

IMAGES = 40
DATE = "2026-03-01T11:00:00+00:00"


def observed(psnr, cpm, rng, spread=0.5, observer="0b5e7fe7", date=DATE):
    """Scores around two means, with a part that images share and one of the method alone."""
    names = [f"slice-{i}" for i in range(IMAGES)]
    of_images = np.random.default_rng(1).normal(0, 1, IMAGES)
    own = rng.normal(0, spread, (2, IMAGES))
    own -= own.mean(1, keepdims=True)
    rows = {
        name: {"psnr": psnr + shared + a, "cpm": cpm + 0.1 * shared + 0.1 * b}
        for name, shared, a, b in zip(names, of_images, *own, strict=True)
    }
    return Observed(
        observer=observer,
        on="nodules:mini",
        primary="cpm",
        metrics={"cpm": {"higher_is_better": True, "of": "finding"}, "psnr": METRICS["psnr"]},
        per_image=rows,
        groups={name: name for name in names},
        truth={"cpm": 0.9},
        device="cpu",
        commit="c" * 40,
        date=date,
    )


def entries(now, **found):
    rows = [result(method, level=20.0 + i) for i, method in enumerate(found)]
    made, problems = selection.entries(rows, now, observed={row.key: found[row.method] for row in rows})
    assert not problems
    return sorted(made, key=lambda entry: list(found).index(entry.method))


def test_a_trade_that_both_scores_tell_apart_is_named(now):
    rng = np.random.default_rng(0)
    found = entries(now, tv=observed(30.0, 0.5, rng), nlm=observed(29.0, 0.6, rng), direct=observed(25.0, 0.2, rng))
    panel = task_quality.panel(found)
    assert [line.name for line in panel.lines] == ["tv", "nlm", "direct"]
    assert [line.by_image.best for line in panel.lines] == [1, 2, 3]
    assert [line.by_task.best for line in panel.lines] == [2, 1, 3]
    assert [(trade.name, trade.others) for trade in panel.trades] == [("tv", ["nlm"])]
    assert (panel.on, panel.images, panel.image, panel.task, panel.truth) == ("nodules:mini", 40, "psnr", "cpm", 0.9)
    assert panel.moves == ["tv from place 1 to 2", "nlm from place 2 to 1"]
    assert panel.missing == []


def test_ranked_methods_that_nobody_judged_are_named(now):
    found = entries(now, tv=observed(30.0, 0.5, np.random.default_rng(0)))
    others = entries(now, nlm=observed(29.0, 0.6, np.random.default_rng(0)))
    bare = [one.model_copy(update={"observed": None}) for one in others]
    assert task_quality.panel([*found, *bare]).missing == ["nlm"]
    assert "Not judged: nlm." in pages(board_rows.boards([*found, *bare], now))["denoising/README.md"]


def test_a_trade_that_one_score_does_not_tell_apart_is_none(now):
    rng = np.random.default_rng(0)
    for close in (observed(29.99, 0.6, rng), observed(29.0, 0.501, rng)):
        panel = task_quality.panel(entries(now, tv=observed(30.0, 0.5, rng), nlm=close))
        assert panel.trades == []
        orders = [(line.by_image.order, line.by_task.order) for line in panel.lines]
        assert orders == [(1, 2), (2, 1)]  # the means trade places all the same


def test_equal_methods_seldom_trade_places(now):
    """Of equals a trade needs two errors in opposite directions: far fewer than 5 % of boards."""
    rng = np.random.default_rng(2)
    groups = {f"s{i}": f"s{i}" for i in range(20)}

    def noise():
        return {name: {0: dict(zip(groups, rng.normal(0, 1, 20), strict=True))} for name in "abcd"}

    named = sum(bool(task_quality.trades(noise(), noise(), groups, [True, True])) for _ in range(200))
    assert named <= 4


def test_a_lower_score_may_be_the_better_one():
    groups = {f"s{i}": f"s{i}" for i in range(6)}
    good, bad = ({0: {name: level + i / 100 for i, name in enumerate(groups)}} for level in (1.0, 2.0))
    first, second = {"a": good, "b": bad}, {"a": good, "b": bad}
    assert task_quality.trades(first, second, groups, [True, True]) == []
    (trade,) = task_quality.trades(first, second, groups, [False, True])
    assert (trade.name, trade.others) == ("a", ["b"])
    few = {name: name for name in list(groups)[:3]}
    cut = {name: {0: {image: scores[0][image] for image in few}} for name, scores in first.items()}
    assert task_quality.trades(cut, cut, few, [False, True]) == []


def test_scores_of_another_observer_are_left_out_and_named(now):
    rng = np.random.default_rng(0)
    old = observed(31.0, 0.7, rng, observer="01d01d01", date="2026-02-01T11:00:00+00:00")
    found = entries(now, tv=observed(30.0, 0.5, rng), nlm=old)
    panel = task_quality.panel(found)
    assert [line.name for line in panel.lines] == ["tv"]
    assert panel.left_out == ["nlm"]
    assert task_quality.panel([entry.model_copy(update={"observed": {}}) for entry in found]) is None


def test_the_page_shows_both_rankings_and_no_rank_depends_on_them(now):
    rng = np.random.default_rng(0)
    found = entries(now, tv=observed(29.0, 0.6, rng), nlm=observed(30.0, 0.5, rng))
    text = pages(board_rows.boards(found, now))["denoising/README.md"]
    assert "| nlm | 1 | 30.20 | 2 | 0.5201 |" in text or "| nlm | 1 | " in text
    assert "nlm is better than tv by PSNR, and worse by CPM" in text
    assert "in those it scores CPM 0.9000" in text
    without = [entry.model_copy(update={"observed": {}}) for entry in found]
    assert "Task-based" not in pages(board_rows.boards(without, now))["denoising/README.md"]
    assert board_rows.boards(found, now)[0].ranking == board_rows.boards(without, now)[0].ranking


def test_an_entry_keeps_what_was_observed_when_the_same_run_comes_again(now):
    (old,) = entries(now, tv=observed(30.0, 0.5, np.random.default_rng(0)))
    new = old.model_copy(update={"observed": {}})
    assert selection.merged(new, old).observed == old.observed
    assert selection.merged(new.model_copy(update={"code": "f" * 16}), old).observed == {}


def test_shares_of_the_sensitivity_stand_beside_the_area(now):
    def shares(inside):
        return Sensitivity(
            region="lungs", inside={"a": inside, "b": inside + 0.1}, area={"a": 0.2, "b": 0.3},
            device="cpu", commit="c" * 40, date=DATE,
        )  # fmt: skip

    rows = [result("tv"), result("nlm", level=20.0)]
    maps = {rows[0].key: shares(0.5), rows[1].key: shares(0.7)}
    made, _ = selection.entries(rows, now, sensitivity=maps)
    panel = sensitivity.panel(made)
    assert [(line.name, line.inside, line.area) for line in panel.lines] == [
        ("nlm", pytest.approx(75.0), pytest.approx(25.0)),
        ("tv", pytest.approx(55.0), pytest.approx(25.0)),
    ]
    assert "| nlm | 75.00 | 25.00 |" in pages(board_rows.boards(made, now))["denoising/README.md"]
    assert sensitivity.panel([entry.model_copy(update={"sensitivity": {}}) for entry in made]) is None


def test_a_record_of_an_observer_that_was_edited_is_refused(tmp_path):
    path = tmp_path / "observed.json"
    path.write_text(observed(30.0, 0.5, np.random.default_rng(0)).to_json().replace('"cpm": 0.9', '"cpm": 0.8'))
    with pytest.raises(BenchError, match=r"observed\.json is no valid observed: checksum"):
        Observed.read(path)
