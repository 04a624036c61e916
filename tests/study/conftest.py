"""A finished study, made once for all tests that only read it."""

import pytest
from fabricated import grid, make_runs


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Runs folder and cells of three networks, three losses, six seeds and one baseline."""
    runs = tmp_path_factory.mktemp("finished") / "runs"
    return runs, make_runs(runs, grid())
