"""What the tests of engines share."""

import pytest
import toy


@pytest.fixture
def hasty_tracks(tmp_path, monkeypatch, toys):
    """Tracks of another distribution, whose runs have a second."""
    site = tmp_path / "site"
    toy.install_hasty(site)
    monkeypatch.syspath_prepend(str(site))
