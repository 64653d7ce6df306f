"""A folder whose files stand for the data set `toy`."""

import pytest

from tasks.datasets import reader


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "file", lambda name, relative: tmp_path / relative)
    return tmp_path
