"""Which runs become an entry: never the best, always the newest that today's code stands behind."""

import itertools
import shlex

import pytest
from fabricate import IMAGES, failed, result, sources, timing

from bench.leaderboard import selection
from bench.leaderboard.entries import Published

OLD, NEW = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"
CHANGED = {"baselines/handcrafted/unet.py": "0123456789abcdef"}


def seeds(method="unet", level=28.0, over=(0, 1, 2), **changes):
    return [result(method, seed, level, **({"seeds": list(over)} | changes)) for seed in over]


def only(results, now):
    (entry,), problems = selection.entries(results, now)
    assert not problems
    return entry


def chosen(results, now):
    """The level of the group that is published, whatever the order in which results are found."""
    entry = only(results, now)
    assert only(results[::-1], now) == entry
    return entry.per_seed["0"]["image-0"]["psnr"] if entry.per_seed else entry.status


def test_a_new_version_of_the_track_goes_first(version_2):
    old = seeds(level=30, group="old", date=NEW)
    assert chosen([*old, failed("unet", task_version=2, group="new", date=OLD)], version_2) == "failed"


def test_current_code_goes_before_more_seeds_of_code_that_has_changed(now):
    old = seeds(level=30, group="old", sources=CHANGED, date=OLD, learned=True)
    assert chosen([*old, result("unet", level=20, group="new", date=NEW, learned=True)], now) == 20


def test_current_code_goes_before_newer_runs_of_code_that_has_changed(now):
    assert chosen([result(level=30, group="a", sources=CHANGED | sources("x"), date=NEW)], now) == 30
    stale = result("unet", level=30, group="stale", sources=CHANGED, date=NEW)
    assert chosen([stale, result("unet", level=20, group="current", date=OLD)], now) == 20


def test_a_new_ok_is_not_hidden_by_an_old_unsupported(now):
    old = failed(status="unsupported", reason="needs k-space", group="old", date=OLD)
    assert chosen([old, result(level=20, group="new", date=NEW)], now) == 20


def test_a_new_unsupported_is_not_hidden_by_an_old_ok(now):
    new = failed(status="unsupported", reason="needs k-space", group="new", date=NEW)
    assert chosen([result(group="old", date=OLD), new], now) == "unsupported"


def test_committed_code_goes_before_uncommitted(now):
    assert chosen([result(level=20, group="a", date=OLD), result(level=30, group="b", dirty=True, date=NEW)], now) == 20


def test_complete_seeds_go_before_incomplete_ones(now):
    begun = seeds(level=40, group="begun", date=NEW)[:2]
    assert chosen([*seeds(level=20, group="old", date=OLD), *begun], now) == 20


def test_three_trainings_go_before_a_newer_one(now):
    one = seeds(level=40, over=[0], group="one", date=NEW, learned=True)
    assert chosen([*seeds(level=20, group="three", date=OLD, learned=True), *one], now) == 20


def test_a_failure_does_not_hide_what_ended_well(now):
    assert chosen([result(level=20, group="old", date=OLD), failed(group="new", date=NEW)], now) == 20


@pytest.mark.parametrize(("first", "second"), [(20, 30), (30, 20)])
def test_of_equals_the_newer_is_published_whatever_its_score(now, first, second):
    assert chosen([result(level=first, group="a", date=OLD), result(level=second, group="b", date=NEW)], now) == second


def test_of_one_key_the_newest_result_counts(now):
    assert chosen([result(level=31, date=NEW), failed(date=OLD)], now) == 31


def test_an_entry_averages_images_over_seeds_then_over_images(now):
    entry = only(seeds(), now)
    assert entry.seeds == [0, 1, 2]
    assert entry.scores["psnr"] == pytest.approx(28 + 2.5 / 4 + 1 / 16)
    assert entry.per_seed["2"]["image-0"]["psnr"] == 28 + 2 / 16


def test_seeds_asked_for_later_complete_a_group(now):
    entry = only([result("unet", 0, seeds=[0]), *(result("unet", s, seeds=[1, 2]) for s in (1, 2))], now)
    assert (entry.asked, entry.seeds) == ([0, 1, 2], [0, 1, 2])


def test_a_failed_seed_is_kept_with_its_reason(now):
    entry = only([*seeds()[:2], failed("unet", 2, seeds=[0, 1, 2], reason="cannot read /home/someone/data/x.mat")], now)
    assert (entry.status, entry.seeds, entry.failures) == ("ok", [0, 1], {"2": "cannot read x.mat"})


def test_values_are_kept_by_seed_and_tell_no_folders(now):
    runs = [result("tv", s, seeds=[0, 1], hyperparameters={"lam": 0.1 + s, "w": "/home/me/w.pt"}) for s in (0, 1)]
    entry = only(runs, now)
    assert entry.hyperparameters == {"0": {"lam": 0.1, "w": "w.pt"}, "1": {"lam": 1.1, "w": "w.pt"}}


def test_labels_make_entries_of_their_own(now):
    subset = result("tv", label="few", limit=2, group="few", per_image={c: {"psnr": 9.0, "ssim": 1.0} for c in "ab"})
    oracle = result("tv", label="oracle", control="oracle", group="o")
    made, _ = selection.entries([result("tv"), subset, oracle], now)
    assert [(entry.name, entry.limit, entry.test_images) for entry in made] == [
        ("tv", None, IMAGES),
        ("tv@few", 2, IMAGES),
        ("tv@oracle", None, IMAGES),
    ]


def test_costs_come_from_their_own_measurement_alone(now):
    assert only([result("tv")], now).timing is None
    (entry,), _ = selection.entries([result("tv")], now, timing={result("tv").key: timing()})
    assert entry.timing == timing()


def test_a_published_figure_stands_beside_the_protocol_row_alone(now):
    figure = Published(value=28.5, metric="psnr", source="a paper")
    runs = [result("tv"), result("tv", label="strong", requested={"lam": 0.3}, group="s")]
    made, _ = selection.entries(runs, now, published={("denoising:mini", "tv"): figure})
    assert [entry.published for entry in made] == [figure, None]


def test_runs_that_contradict_each_other_are_told_and_stop_no_other(now):
    other = {f"other-{i}": {"psnr": 1.0, "ssim": 0.5} for i in range(IMAGES)}
    twisted = [result("unet", 0, seeds=[0, 1]), result("unet", 1, seeds=[0, 1], per_image=other)]
    made, (problem,) = selection.entries([*twisted, result("tv")], now)
    assert [entry.name for entry in made] == ["tv"]
    assert problem.startswith("the runs of unet on denoising:mini make no valid entry: ")


# Which of two is published that differ in their end alone, by the older and the newer: "three" seeds of a trained
# method or "one", none that ended well, or a pair that is not supported.
TABLE = {
    "three": {"three": "newer", "one": "older", "failed": "older", "unsupported": "newer"},
    "one": {"three": "newer", "one": "newer", "failed": "older", "unsupported": "newer"},
    "failed": {"three": "newer", "one": "newer", "failed": "newer", "unsupported": "newer"},
    "unsupported": {"three": "newer", "one": "newer", "failed": "newer", "unsupported": "newer"},
}
# Current, committed, version of the track; nothing of an old version is current.
QUALITIES = [(False, False, 1), (False, True, 1), *itertools.product((False, True), (False, True), [2])]


def group_of(end, date, current=True, clean=True, version=2, **changes):
    named = f"{end} {date} {current} {clean} {version}"
    values = {"group": named, "date": date, "dirty": not clean, "task_version": version, "learned": True} | changes
    values |= {} if current else {"sources": CHANGED}
    if end == "three":
        return seeds(**values)
    return [result("unet", **values)] if end == "one" else [failed("unet", status=end, **values)]


@pytest.mark.parametrize(("older", "newer"), list(itertools.product(TABLE, TABLE)))
def test_of_two_the_better_standing_is_published_then_the_better_end(version_2, older, newer):
    for before, after in itertools.product(QUALITIES, QUALITIES):
        old, new = group_of(older, OLD, *before), group_of(newer, NEW, *after)
        ranks = [(version, current, clean) for current, clean, version in (before, after)]
        expected = TABLE[older][newer] if ranks[0] == ranks[1] else ("older" if ranks[0] > ranks[1] else "newer")
        wanted = old if expected == "older" else new
        assert only([*old, *new], version_2).key == only([*new, *old], version_2).key == wanted[0].group
        entries = [only(group, version_2) for group in (old, new)]
        assert selection.preferred(entries, version_2) is entries[expected == "newer"]
        assert selection.preferred(entries[::-1], version_2) is entries[expected == "newer"]


def test_what_an_unsupported_pair_has_ended_hides_nothing_that_came_later(version_2):
    later = "2026-03-01T00:00:00+00:00"
    groups = [group_of("three", OLD), group_of("unsupported", NEW), group_of("one", later)]
    for order in itertools.permutations(groups):
        assert selection.preferred(order, version_2) is groups[2]


@pytest.mark.parametrize("end", TABLE)
def test_of_a_method_from_outside_the_code_of_the_newest_run_counts(now, end):
    """Nobody can tell which of its codes is today's."""
    old = group_of("three", OLD, version=1, sources={"unet.py": "01234567"})
    new = group_of(end, NEW, version=1, sources={"unet.py": "89abcdef"})
    assert selection.preferred([old, new], now) is new


@pytest.mark.parametrize("folder", ["/home/jane doe/lab/", "/data/", "~/lab/", "lab/"])
def test_an_entry_tells_no_folder_of_a_method_s_file_and_says_that_it_has_one(now, folder):
    given = shlex.join(["bench", "run", "denoising:mini", "-m", f"{folder}mine.py:lam=1", "--seed", "0"])
    entry = only([result("mine", command=given, sources={"mine.py": "01234567"})], now)
    shown = "lab/" if folder == "lab/" else "path/to/"
    assert entry.command == f"bench run denoising:mini -m {shown}mine.py:lam=1 --seed 0"


def test_a_seed_of_uncommitted_code_takes_no_other_off_the_board(now):
    rows = [result("tv", seed, dirty=seed == 2, seeds=[seed]) for seed in range(3)]
    (entry,), _ = selection.entries(rows, now)
    assert (entry.seeds, entry.dirty) == ([0, 1], False)
    (entry,), _ = selection.entries(rows[2:], now)
    assert (entry.seeds, entry.dirty) == ([2], True)
