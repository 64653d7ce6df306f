"""Hashes of tracks are the same everywhere, and images that are not independent are declared as one group."""

import subprocess
import sys

from every_track import TRACKS, opened

from bench.runs import key


def test_tracks_are_found():
    assert len(TRACKS) >= 7


def test_hashes_of_scored_fields_are_the_same_in_another_process():
    code = (
        "from bench.contract import registry\nfrom bench.runs.key import scored\n"
        "for track in registry.all_tracks(): print(track.id, scored(track, True))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert dict(line.split() for line in shown.splitlines()) == {
        n: key.scored(track, True) for n, track in TRACKS.items()
    }


def test_a_group_that_holds_several_images_is_declared(open_track):
    """Crops of a scene and slices of a stack are no independent images; phantoms and photographs of BSD68 are."""
    images = opened(open_track.id).problem.images["test"]
    groups = {images.group_of(name) for name in images.ids}
    expected = {"aapm12": 1, "brain-istanet": 2, "siat31": 4, "bsd68": 68, "qsm2016": 1, "totalseg": 1, "msd-lung10": 6}
    known = [expected[name] for name in open_track.data if name in expected]
    assert len(groups) == (known[0] if known else len(images))
    assert opened(open_track.id).sample("test").group == images.group_of(images.ids[0])
