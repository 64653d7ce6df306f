"""An entry is checked whenever it is read; a file that is not what it should be is one line and stops no other."""

import json
import shutil

import pytest
from fabricate import failed, result

from bench.errors import BenchError
from bench.leaderboard import entries as kept
from bench.leaderboard import publish, selection
from bench.leaderboard.entries import Entry

REQUIRED = """format task track task_version title scored method family equation citation label control
protocol_version sources code search learned status reason primary metrics scores per_seed seeds groups hyperparameters
at_edge parameters device environment training tuning data_hash commit dirty command date key keys timing published
verified renewed"""


@pytest.fixture
def folder(tmp_path, now):
    """A folder of boards with three entries."""
    made, problems = selection.entries([result("tv"), result("direct", level=20), failed("net")], now)
    assert not problems
    publish.write(made, tmp_path, now)
    return tmp_path


def edit(path, **changes):
    values = json.loads(path.read_text())
    for name, value in changes.items():
        *above, last = name.split("__")
        inner = values
        for part in above:
            inner = inner[part]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(values))


def test_an_entry_comes_back_as_it_was(folder, now):
    made, _ = selection.entries([result("tv")], now)
    assert kept.read(folder / "denoising/mini/tv.json", folder) == made[0]


def test_an_entry_holds_what_is_required_with_numbers_as_numbers(folder):
    entry = json.loads((folder / "denoising/mini/tv.json").read_text())
    assert set(REQUIRED.split()) <= set(entry)
    assert isinstance(entry["scores"]["psnr"], float)
    assert entry["per_seed"]["0"]["image-1"]["psnr"] == 28.25


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scores__psnr": 40.0}, r"scores\.psnr: 40\.0 is not the mean"),
        ({"per_seed__0__image-3__psnr": 40.0}, r"scores\.psnr: .* is not the mean"),
        ({"status": "splendid"}, "status: Input should be 'ok', 'failed' or 'unsupported'"),
        ({"commit": None}, "commit: Field required"),
        ({"label": "gaussian"}, "checksum: the file was changed"),
        ({"label": "../../x"}, "label: String should match"),
        ({"task": "../x"}, "task: String should match"),
        ({"method": "nlm"}, "checksum: the file was changed"),
        ({"track": "bsd68-s25"}, "checksum: the file was changed"),
        ({"protocol": False}, "label: a run other than the protocol's needs one"),
        ({"requested": {"lam": 0.3}}, "protocol: true, and yet"),
        ({"limit": 3}, "protocol: true, and yet"),
        ({"control": "oracle"}, "protocol: true, and yet"),
        ({"test_images": 7}, r"per_seed\.0: 6 of 7 test images"),
        ({"per_seed__0__image-3": None}, r"per_seed\.0: 5 of 6 test images"),
        ({"per_seed__0__image-3": {"ssim": 0.5}}, r"per_seed\.0\.image-3: has the scores"),
        ({"groups__image-3": None}, "groups: names other images"),
        ({"seeds": [0, 1]}, "per_seed: has the seeds"),
        ({"primary": "nmse"}, "primary: 'nmse' is not among"),
        ({"scores__psnr": None}, "scores: "),
        ({"commit": "d" * 40}, "checksum: the file was changed"),
        ({"dirty": True}, "checksum: the file was changed"),
        ({"checksum": "0" * 16}, "checksum: the file was changed"),
        ({"checksum": None}, "checksum: the file was changed"),
        ({"surplus": 1}, "surplus: Extra inputs"),
        ({"format": 3}, "format: Input should be 2"),
        ({"published": {"value": 1.0, "metric": "nmse", "source": "s"}}, r"published\.metric"),
        ({"published": {"value": 1.0, "metric": "psnr", "source": "s", "url": "javascript:x"}}, r"published\.url"),
    ],
)
def test_an_entry_that_was_edited_is_one_line_that_names_file_and_field(folder, changes, told):
    path = folder / "denoising/mini/tv.json"
    edit(path, **changes)
    with pytest.raises(BenchError, match=told) as caught:
        kept.read(path, folder)
    assert "mini/tv.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["denoising/mini/nlm.json", "denoising/mini/tv@x.json", "denoising/other/tv.json"])
def test_an_entry_at_a_place_that_is_not_its_own_is_refused(folder, place):
    (folder / place).parent.mkdir(exist_ok=True)
    shutil.copy(folder / "denoising/mini/tv.json", folder / place)
    found = kept.read_all(folder)
    assert found.problems == [
        f"{folder / place} is no valid entry: by its content it is denoising/mini/tv.json. "
        f"Restore it, by `git restore {folder / place}` for instance, or delete it."
    ]
    assert len(found.entries) == 3
    with pytest.raises(BenchError, match="by its content"):
        kept.read(folder / place)


def test_scores_edited_along_with_their_means_are_seen(folder):
    path = folder / "denoising/mini/tv.json"
    values = json.loads(path.read_text())
    values["per_seed"]["0"]["image-5"]["psnr"] += 0.6
    values["scores"] = kept.means_of(values["per_seed"])
    path.write_text(json.dumps(values))
    with pytest.raises(BenchError, match=r"tv\.json is no valid entry: checksum"):
        kept.read(path)


def test_the_layout_of_a_file_is_no_edit(folder):
    path = folder / "denoising/mini/tv.json"
    entry = kept.read(path)
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert kept.read(path) == entry


@pytest.mark.parametrize("content", [b"[" * 100_000, b"", b"{", b"[]", b"\xff\xfe", b'{"scores": NaN}', b"null", b"{}"])
def test_a_damaged_file_is_told_and_the_others_are_read(folder, content):
    (folder / "denoising/mini/tv.json").write_bytes(content)
    found = kept.read_all(folder)
    assert [entry.name for entry in found.entries] == ["direct", "net"]
    (problem,) = found.problems
    assert "mini/tv.json" in problem
    assert "\n" not in problem


def test_numbers_that_are_not_finite_are_refused(folder):
    path = folder / "denoising/mini/tv.json"
    path.write_text(path.read_text().replace("28.625", "NaN"))
    with pytest.raises(BenchError, match=r"tv\.json"):
        kept.read(path)


def test_entries_of_an_older_format_are_one_line(folder):
    for name in ("tv", "direct"):
        edit(folder / f"denoising/mini/{name}.json", format=None)
    found = kept.read_all(folder)
    assert [entry.name for entry in found.entries] == ["net"]
    assert found.problems == ["2 entries of an older format: run them again."]


@pytest.mark.parametrize("label", ["Müller", "a b", "../x", "a/b", ".hidden", "x" * 200, "a\nb"])
def test_a_label_that_can_name_no_file_is_refused_before_it_is_lost(label):
    with pytest.raises(ValueError, match="label"):
        result("tv", label=label)


def test_two_labels_never_share_a_file(now):
    labels = ["a_b", "a.b", "a-b", "a=b", "a,b", "a+b", "A_b"]
    made, _ = selection.entries([result("tv", label=label) for label in labels], now)
    assert len({entry.file for entry in made}) == len(labels)


def test_scratch_of_another_command_is_no_entry(folder):
    (folder / "denoising/mini/.tmp-1-x.json").write_text("half")
    assert not kept.read_all(folder).problems


def test_a_failed_entry_has_no_scores(folder):
    entry = Entry.read(folder / "denoising/mini/net.json")
    assert (entry.status, entry.scores, entry.per_seed) == ("failed", {}, {})
