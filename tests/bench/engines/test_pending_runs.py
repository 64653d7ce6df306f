"""A grid: specs are frozen before anything starts, what is finished is skipped, and what has failed is done again."""

from pathlib import Path

import toy
from toy_runs import results

from bench.engines.local import LocalEngine
from bench.engines.pending_runs import run_grid
from bench.runs import provenance
from bench.runs.records import Result, finished


def test_what_is_finished_is_skipped_and_force_runs_it_again(go, store, lines, shrink):
    go(shrink)
    (first,) = (store / "runs").glob("*/result.json")
    written = first.stat().st_mtime_ns
    lines.clear()
    assert go(shrink, seeds=[0, 1]) == 0
    assert lines[0] == "1 of 2 done, 1 to go"
    assert len(lines) == 2
    assert first.stat().st_mtime_ns == written
    assert go(shrink, force=True) == 0
    assert first.stat().st_mtime_ns > written


def test_a_run_of_uncommitted_code_is_done_again_once_the_code_is_committed(go, store, lines, shrink, monkeypatch):
    """Committing a method changes no key, and yet its row can be ranked only now."""
    monkeypatch.setattr(provenance, "commit", lambda: ("c" * 40, ""))
    monkeypatch.setattr(provenance, "commit_outside", lambda *_: ("", "shrink.py"))
    assert go(shrink) == 0
    monkeypatch.setattr(provenance, "commit_outside", lambda *_: ("c0ffee", ""))
    lines.clear()
    assert go(shrink) == 0
    assert "psnr" in lines[-1]
    (path,) = (store / "runs").glob("[!.]*/result.json")
    assert not Result.read(path).dirty
    lines.clear()
    go(shrink)
    assert lines == ["1 of 1 done, 0 to go"]


def test_failed_is_not_finished(go, tmp_path, store, lines):
    flag = tmp_path / "flag"
    path = toy.method_file(tmp_path, "moody", f"assert os.path.exists({str(flag)!r}), 'not yet'\nreturn y")
    assert go(path) == 1
    (folder,) = (store / "runs").iterdir()
    assert not finished(folder)
    flag.touch()
    lines.clear()
    assert go(path) == 0
    assert finished(folder)
    assert not any("done" in line for line in lines)
    assert not (folder / "traceback.txt").exists()


def test_unsupported_is_finished_and_no_failure(go, tmp_path, lines):
    supports = "    @classmethod\n    def supports(cls, track):\n        return 'needs k-space'\n"
    path = toy.method_file(tmp_path, "picky", supports)
    assert go(path) == 0
    assert "UNSUPPORTED: needs k-space  (key " in lines[0]
    assert go(path) == 0
    assert lines[1] == "1 of 1 done, 0 to go"


def test_a_damaged_result_is_made_anew(go, store, shrink):
    go(shrink)
    (path,) = (store / "runs").glob("*/result.json")
    path.write_text(path.read_text()[:100])
    assert go(shrink) == 0
    assert Result.read(path).status == "ok"


def test_a_method_that_adds_a_comment_to_its_own_file_is_done(go, tmp_path, store, lines):
    path = toy.method_file(tmp_path, "scribe", "open(__file__, 'a').write('# seen\\n')\nreturn y")
    assert go(path) == 0
    assert "# seen" in Path(path).read_text()
    assert go(path) == 0
    assert lines[-1] == "1 of 1 done, 0 to go"


def test_a_method_that_changes_its_own_code_keeps_the_scores_of_its_old_code_and_runs_again(go, tmp_path, store, lines):
    change = "text = open(__file__).read()\nopen(__file__, 'w').write(text.replace('0.5 * y', '0.25 * y'))\n"
    path = toy.method_file(tmp_path, "shifty", change + "return 0.5 * y")
    assert go(path) == 0
    old = results(store)["shifty"]
    assert "0.25 * y" in Path(path).read_text()
    assert (store / "runs" / old.key / "source" / "shifty.py").read_text().count("return 0.5 * y") == 1
    assert go(path) == 0
    assert not any("done" in line for line in lines)
    found = {path.parent.name: Result.read(path) for path in (store / "runs").glob("*/result.json")}
    assert len(found) == 2
    new = next(result for key, result in found.items() if key != old.key)
    assert new.mean("psnr") < old.mean("psnr")
    assert new.sources != old.sources


def test_a_method_edited_between_the_freeze_and_the_start_is_not_kept_as_finished(plan, store, lines, shrink):
    specs, _ = plan(shrink)
    toy.edit(shrink, "self.factor * y", "0 * y")
    assert run_grid(specs, LocalEngine(1), report=lines.append) == 1
    told = "shrink.py was edited after the command had started. Type the command again."
    assert f"FAILED: {told}  (key " in lines[0]
    assert not finished(store / "runs" / specs[0].key)


def test_what_was_asked_twice_is_run_once(go, lines, shrink):
    assert go(shrink, shrink, tracks=("toy", "toy:mini"), seeds=[0, 0]) == 0
    assert len(lines) == 1
