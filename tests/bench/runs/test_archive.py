import io
import tarfile
import zipfile

import pytest
from fabricate import failed, result, run_directory

from bench.errors import BenchError
from bench.runs.archive import export, unpack
from bench.runs.records import Result
from bench.runs.run_directory import whole


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path):
    runs = tmp_path / "there"
    return [run_directory(runs, outcome) for outcome in (result("tv"), failed("unet"))]


@pytest.mark.parametrize("name", ["runs.tar.gz", "runs.zip"])
def test_what_is_exported_is_imported(made, tmp_path, name):
    (made[0] / "tracked.json").write_text("{}")
    (made[0] / "stress-noise.png").write_bytes(b"picture")  # which came after the result
    export(made, tmp_path / name)
    found = unpack(tmp_path / name, tmp_path / "here").run_dirs
    assert sorted(path.name for path in found) == sorted(path.name for path in made)
    there, here = contents(tmp_path / "there"), contents(tmp_path / "here")
    for files in (there, here):
        for file in ("traceback.txt", "result.json"):  # less the folders of this machine, and so their hash
            files.pop(f"{made[1].name}/{file}")
    assert there.pop(f"{made[0].name}/tracked.json")
    assert there == here
    assert not list((tmp_path / "here").glob(".tmp-*"))


def test_a_file_that_is_like_a_picture_of_a_shift_in_a_folder_is_a_strange_one(made, tmp_path):
    (made[0] / "stress-a").mkdir()
    (made[0] / "stress-a" / "b.png").write_bytes(b"picture")
    with pytest.raises(BenchError, match="is not among the files of the run"):
        whole(made[0])


def test_an_archive_names_no_user_and_no_folder(made, tmp_path):
    export(made, tmp_path / "runs.tar.gz")
    with tarfile.open(tmp_path / "runs.tar.gz") as tar:
        for member in tar:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
            assert b"/home" not in tar.extractfile(member).read()
        traceback = tar.extractfile(f"{made[1].name}/traceback.txt").read().decode()
    assert 'File "bench/evaluation/evaluate.py", line 3' in traceback


@pytest.mark.parametrize("depth", [0, 1])
def test_folders_are_imported_too(made, tmp_path, depth):
    source = made[0] if depth else tmp_path / "there"
    assert len(unpack(source, tmp_path / "here").run_dirs) == 2 - depth


def test_importing_a_store_into_itself_changes_nothing(made, tmp_path):
    before = contents(tmp_path / "there")
    assert sorted(unpack(tmp_path / "there", tmp_path / "there").run_dirs) == sorted(made)
    assert contents(tmp_path / "there") == before


def test_finished_runs_stay_and_failed_ones_are_replaced(made, tmp_path):
    export(made, tmp_path / "runs.zip")
    here = tmp_path / "here"
    kept = run_directory(here, result("tv", level=99))
    replaced = run_directory(here, failed("unet", reason="another"))
    unpack(tmp_path / "runs.zip", here)
    assert Result.read(kept / "result.json").mean("psnr") > 90
    assert Result.read(replaced / "result.json").reason == "x_hat is not finite"


def packed(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "key/../../evil.txt", "evil.txt", "key\\evil/x"])
def test_files_outside_are_refused(tmp_path, name):
    with pytest.raises(BenchError, match="no archive of"):
        unpack(packed(tmp_path / "x.tar.gz", {name: b"x"}), tmp_path / "in" / "runs")
    assert not list(tmp_path.rglob("evil*"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zipped:
        zipped.writestr(name, "x")
    if "\\" not in name:
        with pytest.raises(BenchError, match="no archive of"):
            unpack(tmp_path / "x.zip", tmp_path / "in" / "runs")
    assert not list(tmp_path.rglob("evil*"))


def test_links_are_refused(tmp_path):
    with pytest.raises(BenchError, match="is no file"):
        unpack(packed(tmp_path / "x.tar.gz", {"key/result.json": None}), tmp_path / "runs")


def test_a_folder_that_is_not_named_by_its_key_is_refused(tmp_path):
    text = result("tv").to_json().encode()
    (line,) = unpack(packed(tmp_path / "x.tar.gz", {"other/result.json": text}), tmp_path / "runs").refused
    assert "named by its key" in line
    (line,) = unpack(packed(tmp_path / "x.tar.gz", {"other/result.json": text[:90]}), tmp_path / "runs").refused
    assert "x.tar.gz: other/result.json is no valid result" in line
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["runs.tar.gz", "runs.zip"])
def test_a_damaged_archive_adds_nothing(made, tmp_path, name, share):
    export(made, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(BenchError, match=name) as caught:
        unpack(tmp_path / name, tmp_path / "here")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "here").iterdir())


def test_flipped_bits_are_found(made, tmp_path):
    export(made, tmp_path / "runs.tar.gz")
    damaged = bytearray((tmp_path / "runs.tar.gz").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / "runs.tar.gz").write_bytes(damaged)
    with pytest.raises(BenchError):
        unpack(tmp_path / "runs.tar.gz", tmp_path / "here")


def test_wrong_paths_are_one_line(made, tmp_path):
    for call in (
        lambda: export(made, tmp_path / "runs.rar"),
        lambda: export(made, tmp_path / "no" / "runs.zip"),
        lambda: export([tmp_path / "there"], tmp_path / "runs.zip"),
        lambda: unpack(tmp_path / "absent.zip", tmp_path / "here"),
        lambda: unpack(tmp_path / "here", tmp_path / "here"),
    ):
        with pytest.raises(BenchError):
            call()
    assert not list(tmp_path.glob("*runs.*"))


def test_an_archive_holds_no_path_in_any_field_and_nothing_that_a_method_printed(tmp_path):
    secret = "/home/Jane Doe/secret/weights.pt"
    outcome = result(
        requested={"weights": secret},
        hyperparameters={"weights": secret, "inner": [f"file://{secret}"]},
        training={"log": f"read '{secret}'"},
        command=f"bench run denoising -m 'tv:weights={secret}'",
    )
    run = run_directory(tmp_path / "there", outcome)
    (run / "log.txt").write_text(f"printed {secret}")
    export([run], tmp_path / "x.zip")
    (imported,) = unpack(tmp_path / "x.zip", tmp_path / "here").run_dirs
    found = contents(imported)
    assert not [name for name, content in found.items() if b"Jane" in content or b"secret" in content]
    assert "log.txt" not in found
    assert Result.read(imported / "result.json").requested == {"weights": "weights.pt"}
    assert Result.read(run / "result.json").requested == {"weights": secret}  # here it is needed to run again
