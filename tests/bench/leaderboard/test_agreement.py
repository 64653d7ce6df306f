"""An entry agrees with its run to the bit or within a tolerance; one altered by hand does not."""

import copy

import pytest
from fabricate import digest, result

from bench.errors import BenchError
from bench.leaderboard import agreement, selection
from bench.leaderboard.entries import Entry, means_of

NOTE = ("2026-05-01T00:00:00+00:00", "c" * 40, "cpu")


@pytest.fixture
def entry(now):
    (found,), _ = selection.entries([result("tv", s, seeds=[0, 1]) for s in (0, 1)], now)
    return found


def again(entry, images=3, shift=0.0, metric="psnr"):
    """The scores of the first images, computed again, with one of them off by ``shift``."""
    computed = {
        int(seed): {image: dict(scores[image]) for image in list(scores)[:images]}
        for seed, scores in entry.per_seed.items()
    }
    computed[1]["image-1"][metric] += shift
    return computed


def compared(entry, computed=None, hashes=None):
    return agreement.compare(entry, computed or again(entry), entry.image_hashes if hashes is None else hashes)


def test_equal_bits_agree(entry):
    found = compared(entry)
    assert len(found) == 6
    assert agreement.agreement(found) == "bits"
    assert agreement.status(found) == 0
    assert agreement.lines(entry, found)[-1] == "  agrees to the bit: 6 of 6 images"


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        ("psnr", 1e-9, "within tolerance"),
        ("psnr", 0.01, "within tolerance"),
        ("psnr", 0.011, "differs"),
        ("ssim", -0.0001, "within tolerance"),
        ("ssim", 0.00011, "differs"),
    ],
)
def test_the_tolerance_is_the_last_digit_that_a_board_shows(entry, metric, shift, verdict):
    found = compared(entry, again(entry, shift=shift, metric=metric))
    assert [one.verdict for one in found if one.verdict != "equal bits"] == [verdict]
    assert agreement.agreement(found) == ("tolerance" if verdict == "within tolerance" else "")
    assert agreement.status(found) == (verdict == "differs")
    line = next(line for line in agreement.lines(entry, found) if verdict in line)
    assert "seed 1" in line
    assert "image-1" in line
    assert f"{metric} " in line


def test_an_entry_altered_by_hand_does_not_agree(entry):
    """One score raised, and the means with it, so that the file is valid."""
    values = entry.model_dump(mode="json")
    for scores in values["per_seed"].values():
        scores["image-1"]["psnr"] += 0.5
    values["scores"] = means_of(values["per_seed"])
    altered = Entry.model_validate(values)
    found = compared(altered, again(entry))
    assert agreement.status(found) == 1
    assert "does NOT agree: 4 of 6 images" in agreement.lines(altered, found)[-1]
    with pytest.raises(BenchError, match="not marked as verified"):
        agreement.verified(altered, found, *NOTE)


def test_images_and_metrics_that_the_entry_lacks_do_not_agree(entry):
    computed = again(entry)
    computed[0]["other"] = {"psnr": 1.0, "ssim": 0.5}
    del computed[1]["image-0"]["ssim"]
    found = {(one.seed, one.image): one for one in compared(entry, computed)}
    assert found[0, "other"].verdict == "not in the entry"
    assert found[1, "image-0"].detail == "other metrics: ssim"
    assert not found[1, "image-0"].agrees


def test_a_measurement_of_other_bits_is_told_and_keeps_scores_from_agreeing_to_the_bit(entry):
    found = compared(entry, hashes=entry.image_hashes | {"image-0": digest("other")})
    assert agreement.agreement(found) == "tolerance"
    assert "its measurement differs in bits" in agreement.lines(entry, found)[1]


def test_nothing_computed_verifies_nothing(entry):
    with pytest.raises(BenchError, match="nothing is verified"):
        agreement.compare(entry, {0: {}}, {})


def test_a_verified_entry_says_when_and_how(entry):
    seen = agreement.verified(entry, compared(entry), *NOTE)
    assert (seen.verified.images, seen.verified.agreement, seen.verified.device) == (6, "bits", "cpu")
    assert Entry.from_json(seen.to_json()) == seen


def test_a_note_of_more_images_stays(entry):
    whole = agreement.verified(entry, compared(entry), *NOTE)
    some = {0: dict(list(again(entry)[0].items())[:2])}
    assert agreement.verified(whole, compared(entry, some), "later", *NOTE[1:]) == whole
    assert agreement.verified(whole, compared(entry), "later", *NOTE[1:]).verified.date == "later"


def test_equal_bits_renew_the_hash_of_the_code(entry):
    sources = {"baselines/handcrafted/tv.py": "1" * 16}
    seen = agreement.renewed(entry, compared(entry), sources, "2" * 16, entry.search, *NOTE)
    assert (seen.code, seen.sources, seen.renewed.code_before, seen.renewed.images) == (
        "2" * 16,
        sources,
        entry.code,
        6,
    )
    assert seen.per_seed == entry.per_seed
    assert Entry.from_json(seen.to_json()) == seen


def test_a_hash_is_renewed_for_equal_bits_and_the_same_search_alone(entry):
    near = compared(entry, again(entry, shift=1e-9))
    with pytest.raises(BenchError, match="does not give equal bits"):
        agreement.renewed(entry, near, {}, "2" * 16, entry.search, *NOTE)
    with pytest.raises(BenchError, match="search space, budget or recipe"):
        agreement.renewed(entry, compared(entry), {}, "2" * 16, "3" * 16, *NOTE)
    mine = copy.copy(entry).model_copy(update={"sources": {"mine.py": "0" * 16}})
    with pytest.raises(BenchError, match="outside of this repository"):
        agreement.renewed(mine, compared(entry), {}, "2" * 16, entry.search, *NOTE)


def test_shares_of_a_score_of_the_set_are_not_compared_on_a_part_of_it(entry):
    computed = again(entry, shift=1.0, metric="ssim")
    assert not agreement.agreement(agreement.compare(entry, computed, entry.image_hashes))
    assert agreement.agreement(agreement.compare(entry, computed, entry.image_hashes, without=["ssim"])) == "bits"
    computed = again(entry, shift=1.0)
    assert not agreement.agreement(agreement.compare(entry, computed, entry.image_hashes, without=["ssim"]))
