"""What `bench list` shows in detail comes from the cache, where it would take the imports of seconds to find out."""

import dataclasses
import subprocess
import sys

import pytest
import toy

from bench import listing
from bench.contract import registry
from bench.contract.task import Images
from bench.data import sizes
from bench.runs import provenance


def test_a_track_tells_its_images_and_groups_once_a_run_has_opened_it(toys, store, shrink):
    assert "  images   counted when a run opens the track" in listing.lines("toy:mini")
    toy.perform_here(toy.spec(shrink, limit=1))
    assert "  images   train 5, val 3, test 5" in listing.lines("toy:mini")
    problem = toy.open_track(toy.MINI)
    crops = Images(problem.images["test"].ids, problem.images["test"].load, lambda image: "one scene")
    sizes.keep(toy.MINI, dataclasses.replace(problem, images={**problem.images, "test": crops}))
    assert "  images   train 5, val 3, test 5 in 1 groups" in listing.lines("toy:mini")
    assert not sizes.kept(toy.track("mini", version=2))


@pytest.fixture
def loaded(monkeypatch):
    """The methods that were imported."""
    names, real = [], registry.load_method
    monkeypatch.setattr(registry, "load_method", lambda name: names.append(name) or real(name))
    return names


def test_a_method_of_the_suite_is_imported_for_its_details_once(store, loaded, monkeypatch):
    store.mkdir()
    first = list(listing.lines("tv"))
    assert list(listing.lines("tv")) == first
    assert loaded == ["tv"]
    assert any(line.split()[:2] == ["lam", "0.01"] for line in first)
    monkeypatch.setattr(provenance, "source_hash", lambda: "other code")
    assert list(listing.lines("tv")) == first
    assert loaded == ["tv", "tv"]


def test_a_listing_makes_no_store(store, loaded):
    list(listing.lines("direct"))
    assert not store.exists()


def test_a_file_is_read_anew_each_time(store, loaded, shrink):
    store.mkdir()
    assert list(listing.lines(shrink)) == list(listing.lines(shrink))
    assert len(loaded) == 2


def test_details_that_are_kept_need_no_heavy_import(store):
    store.mkdir()
    first = list(listing.lines("direct"))
    code = "import sys; from bench import listing; print(*listing.lines('direct'), 'torch' in sys.modules, sep='\\n')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert found.splitlines() == [*first, "False"]
