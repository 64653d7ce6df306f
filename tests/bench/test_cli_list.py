"""`bench list` shows tasks, tracks and methods, to readers and as JSON to programs."""

import json
import re

from bench.cli import main
from bench.contract import registry


def test_tasks_are_listed_for_programs(capsys):
    assert main(["list", "tasks", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert set(listing) == {"tasks"}
    tracks = {track.id: track for track in registry.all_tracks()}
    assert [entry["track"] for entry in listing["tasks"]] == list(tracks)
    for entry in listing["tasks"]:
        track = tracks[entry["track"]]
        assert entry["version"] == track.version
        assert entry["metrics"] == [metric.name for metric in track.metrics]
        assert entry["data"] == list(track.data)
        assert entry["title"] == track.title


def test_methods_are_listed_for_programs(capsys):
    assert main(["list", "methods", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert set(listing) == {"methods"}
    assert {entry["name"]: entry["family"] for entry in listing["methods"]} == {
        name: file.family for name, file in registry.methods().items()
    }
    assert all(set(entry) == {"name", "family", "summary"} for entry in listing["methods"])


def test_a_method_is_listed_with_its_hyperparameters(capsys):
    assert main(["list", "weighted_tv"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("weighted_tv (handcrafted): min_x ")
    assert re.search(
        r"^  lam +0\.01 +tuned from [\d.e-]+ to [\d.]+ \(log\), or from [\d.]+ to [\d.]+ \(log\)$", shown, re.MULTILINE
    )
    assert re.search(r"^  iterations +150$", shown, re.MULTILINE)


def test_a_task_is_listed_with_its_tracks_and_a_track_with_its_terms(capsys):
    assert main(["list", "ct"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        track.id for track in registry.load_task("ct").tracks
    ]
    assert main(["list", "mri:brain-r20"]) == 0
    shown = capsys.readouterr().out
    assert "psnr [dB]" in shown
    assert "12 trials on 4 validation images" in shown
    assert "the best of 20 looks at 16 validation images" in shown
    assert "Deep ADMM-Net" in shown


def test_everything_is_listed_for_readers(capsys):
    assert main(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"tasks", "methods"}
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in [*(track.id for track in registry.all_tracks()), *registry.methods()]:
        assert f"  {name} " in shown
