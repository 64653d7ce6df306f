"""Scores under shifts stand in a panel of their own: lines, areas, seeds as one, and who falls below the reference."""

from dataclasses import replace

import pytest
from fabricate import result

from bench.contract import registry
from bench.contract.task import Shift
from bench.errors import BenchError
from bench.leaderboard import board_rows, selection
from bench.leaderboard.entries import Entry
from bench.leaderboard.page import pages
from bench.leaderboard.panels import stability
from bench.runs.records import Stress, StressPoint

POINTS = ("10", "25", "50")


def stress(*levels, reason="", structure=80.0, spread=0.0):
    """Scores of the images of a fabricated result at `POINTS`; None where the method failed.

    ``spread`` is by how much they differ from the level, up and down.
    """
    points = [
        StressPoint(
            at=at,
            per_image={} if level is None else {f"image-{i}": level + (-1) ** i * spread for i in range(6)},
            reason=reason,
        )
        for at, level in zip(POINTS, levels, strict=True)
    ]
    kept = [StressPoint(at="5 %", per_image={"a": structure})]
    return Stress(
        shifts={"level": points, "structure": kept},
        own={"level": "25"},
        titles={"level": "sigma", "structure": "kept contrast"},
        primary="psnr",
        device="cpu",
        commit="c" * 40,
        date="2026-03-01T11:00:00+00:00",
    )


def entries(now, **stressed):
    """One row for each method, at 20 dB and more in the order in which they are given."""
    rows = [result(method, level=20.0 + i) for i, method in enumerate(stressed)]
    stresses = {row.key: stressed[row.method] for row in rows if stressed[row.method]}
    made, problems = selection.entries(rows, now, stress=stresses)
    assert not problems
    return sorted(made, key=lambda entry: list(stressed).index(entry.method))


def of_seeds(now, *stressed, level=28.0):
    """The entry of a trained method with a seed for each of its scores under shifts."""
    seeds = list(range(len(stressed)))
    rows = [result("unet", seed, level=level, learned=True, seeds=seeds) for seed in seeds]
    (made,), _ = selection.entries(rows, now, stress={row.key: one for row, one in zip(rows, stressed, strict=True)})
    return made


def test_a_panel_holds_the_means_and_the_area_under_them(now):
    level, kept = stability.panels(entries(now, tv=stress(30.0, 28.0, 20.0)))
    assert (level.title, level.unit, level.points) == ("sigma", "dB", list(POINTS))
    (line,) = level.lines
    assert line.scores == [30.0, 28.0, 20.0]
    assert line.area == pytest.approx((29.0 + 24.0) / 2)
    assert (kept.unit, kept.lines[0].scores, kept.lines[0].area) == ("%", [80.0], None)


def test_a_trained_method_that_falls_below_what_it_beats_is_named_with_the_first_point(now):
    plain = entries(now, nlm=stress(30.5, 29.0, 10.0), tv=stress(30.0, 28.0, 20.0))
    trained = of_seeds(now, *[stress(30.2, 30.0, 12.0)] * 3, level=22.0)
    level, kept = stability.panels([*plain, trained])
    assert level.fallen == ["unet at 10 (below nlm)"]
    assert kept.fallen == []
    untrained = trained.model_copy(update={"learned": False})
    assert stability.panels([*plain, untrained])[0].fallen == []  # tv falls below nlm, but nothing is trained


def test_a_fall_is_named_only_where_both_scores_tell_the_methods_apart(now):
    def fallen(level_of_unet, spread):
        rows = [
            result("tv", level=28.0),
            *(result("unet", seed, level=level_of_unet, learned=True, seeds=[0, 1, 2]) for seed in (0, 1, 2)),
        ]
        scores = {"tv": stress(30.0, 28.0, 20.0), "unet": stress(29.0, 29.0, 19.0, spread=spread)}
        made, _ = selection.entries(rows, now, stress={row.key: scores[row.method] for row in rows})
        return stability.panels(made)[0].fallen

    assert fallen(29.0, 0.1) == ["unet at 10 (below tv)"]
    assert fallen(29.0, 5.0) == []  # the images scatter under the shift
    assert fallen(28.01, 0.1) == []  # the track tells no lead of unet


def test_a_point_without_scores_is_blank_and_says_why(now):
    (level, _) = stability.panels(entries(now, tv=stress(30.0, None, 20.0, reason="too | noisy")))
    assert level.lines[0].scores == [30.0, None, 20.0]
    assert level.lines[0].area is None
    assert level.lines[0].reasons == ["too | noisy"]


def test_nothing_was_scored_under_a_shift(now):
    assert stability.panels(entries(now, tv=None)) == []


def test_a_line_has_the_mean_over_the_seeds_that_have_scores(now):
    entry = of_seeds(now, stress(30.0, 28.0, 20.0), stress(32.0, None, 22.0, reason="failed", structure=60.0))
    level, kept = stability.panels([entry])
    assert (level.lines[0].scores, level.lines[0].reasons) == ([31.0, 28.0, 21.0], [])
    assert kept.lines[0].scores == [70.0]


def test_seeds_scored_at_other_points_than_the_newest_are_left_out(now):
    old, new = stress(30.0, 28.0, 20.0), stress(33.0, 31.0, 29.0)
    moved = [
        point.model_copy(update={"at": at}) for point, at in zip(new.shifts["level"], ("5", "10", "25"), strict=True)
    ]
    new = new.model_copy(update={"shifts": {"level": moved}, "date": "2026-04-01T11:00:00+00:00"})
    (level,) = stability.panels([of_seeds(now, old, new)])
    assert (level.points, level.lines[0].scores) == (["5", "10", "25"], [33.0, 31.0, 29.0])


def test_a_row_of_some_test_images_is_in_no_panel(now):
    part = of_seeds(now, stress(30.0, 28.0, 20.0)).model_copy(update={"limit": 2})
    assert stability.panels([part]) == []


def test_no_claim_rests_on_trainings_that_differ_as_much_as_the_methods_do(now):
    """A fall at the first point by a mean of 1 dB: told where three trainings agree, and not where they scatter."""
    (tv,) = selection.entries(rows := [result("tv", level=20.0)], now, stress={rows[0].key: stress(30.0, 28.0, 20.0)})[
        0
    ]

    def fallen(*levels):
        return stability.panels([tv, of_seeds(now, *(stress(level, 30.0, 22.0, spread=0.1) for level in levels))])[
            0
        ].fallen

    assert fallen(28.9, 29.0, 29.1) == ["unet at 10 (below tv)"]
    assert fallen(26.0, 29.0, 32.0) == []
    assert fallen(28.9, 29.0) == []  # a rank asks for three


def test_more_samples_hurt_where_every_training_loses_by_them(now, monkeypatch):
    shift = Shift("level", "sigma", {"10": {"a": 1}, "25": {}, "50": {"a": 2}}, more=("10",))
    monkeypatch.setattr(stability, "shifts_of", lambda name: {"level": shift})

    def hurt(*lost):
        levels = [stress(30.0 - one, 30.0, 20.0, spread=0.5) for one in lost]
        return stability.panels([of_seeds(now, *levels)])[0].hurt

    assert hurt(1.0, 1.1, 0.9) == ["unet at 10"]
    assert hurt(3.0, 0.1, -0.1) == []
    assert hurt(1.0, 1.1) == []


def test_the_page_shows_the_panel_and_no_rank_depends_on_it(now):
    with_panel = entries(now, nlm=stress(25.0, 19.0, 10.0), tv=stress(30.0, None, 20.0, reason="too | noisy"))
    without = [entry.model_copy(update={"stress": None}) for entry in with_panel]
    text = pages(board_rows.boards(with_panel, now))["denoising/README.md"]
    assert "| tv | 21.62 | 30.00 |  | 20.00 |  |" in text
    assert "too &#124; noisy" in text
    before, after = (board_rows.boards(rows, now)[0].ranking for rows in (without, with_panel))
    assert before == after
    assert "Stability" not in pages(board_rows.boards(without, now))["denoising/README.md"]


def test_the_page_names_the_methods_of_which_some_seeds_were_scored(now):
    group = [result("tv", seed=seed, seeds=[0, 1, 2]) for seed in (0, 1, 2)]
    full, part = ({row.key: stress(30.0, 28.0, 20.0) for row in group[:count]} for count in (3, 1))
    (whole,), (some,) = (selection.entries(group, now, stress=found)[0] for found in (full, part))
    assert (list(whole.stress), list(some.stress)) == (["0", "1", "2"], ["0"])
    texts = [pages(board_rows.boards([entry], now))["denoising/README.md"] for entry in (whole, some)]
    assert "seeds:" not in texts[0]
    assert "By some of their seeds: tv (1 of 3 seeds)." in texts[1]


def test_means_over_seeds_of_earlier_entries_are_left_out_where_there_were_several(now):
    (entry,) = entries(now, tv=stress(30.0, 28.0, 20.0))
    earlier = entry.model_dump() | {"stress": stress(30.0, 28.0, 20.0).model_dump()}
    assert Entry.model_validate(earlier | {"stress_seeds": [0]}) == entry
    assert Entry.model_validate(earlier | {"stress_seeds": [0, 1, 2]}).stress is None


def test_an_entry_keeps_its_scores_under_shifts_when_the_same_run_comes_again(now):
    (old,) = entries(now, tv=stress(30.0, 28.0, 20.0))
    (new,) = entries(now, tv=None)
    kept = selection.merged(new, old)
    assert kept.stress == old.stress
    assert selection.merged(new.model_copy(update={"code": "f" * 16}), old).stress is None


def test_a_record_of_scores_under_shifts_that_was_edited_is_refused(tmp_path):
    path = tmp_path / "stress.json"
    path.write_text(stress(30.0, 28.0, 20.0).to_json().replace("28.0", "38.0"))
    with pytest.raises(BenchError, match=r"stress\.json is no valid stress: checksum"):
        Stress.read(path)


def test_methods_that_more_samples_make_worse_are_named_where_that_is_told_apart(now, monkeypatch):
    shift = Shift("level", "samples", {"10": {"a": 1}, "25": {}, "50": {"a": 2}}, more=("50",))
    track = replace(registry.track("denoising"), shifts=(shift,))
    monkeypatch.setattr(registry, "track", lambda name: track)
    found = entries(now, tv=stress(20.0, 28.0, 30.0), nlm=stress(20.0, 28.0, 27.0), unet=stress(20.0, 28.0, None))
    assert stability.panels(found)[0].hurt == ["nlm at 50"]
    alike = entries(now, nlm=stress(20.0, 28.0, 28.0 - 1e-9))
    assert stability.panels(alike)[0].hurt == []
    text = pages(board_rows.boards(found, now))["denoising/README.md"]
    assert "More samples must not hurt. They do, told apart from the track: nlm at 50." in text
    assert "They make no method worse" in pages(board_rows.boards(alike, now))["denoising/README.md"]


def test_points_without_an_order_have_no_area(now, monkeypatch):
    shift = Shift("level", "law", {"10": {"a": 1}, "25": {}, "50": {"a": 2}}, ordered=False)
    track = replace(registry.track("denoising"), shifts=(shift,))
    monkeypatch.setattr(registry, "track", lambda name: track)
    level, _ = stability.panels(entries(now, tv=stress(30.0, 28.0, 20.0)))
    assert level.lines[0].area is None
    assert level.hurt is None


def test_a_track_that_is_not_here_has_its_panel(now, monkeypatch):
    def gone(name):
        raise BenchError("no such track")

    monkeypatch.setattr(registry, "track", gone)
    level, _ = stability.panels(entries(now, tv=stress(30.0, 28.0, 20.0)))
    assert level.lines[0].area == pytest.approx(26.5)
    assert level.hurt is None


def test_more_samples_are_points_of_the_shift():
    with pytest.raises(ValueError, match="the shift 'views' has more samples at 48: no such point"):
        Shift("views", "views", {"24": {}}, more=("48",))
