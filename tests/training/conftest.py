"""Fixtures of the training's tests."""

import pytest
from tiny_store import write_store


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store"))
