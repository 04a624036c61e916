import pytest

from sct.head_phantom.participant import make_participant
from sct.head_phantom.settings import PhantomSettings


@pytest.fixture(scope="session")
def coarse_adult():
    """The adult of the default cohort, at 4 mm."""
    return make_participant(PhantomSettings(8, 4.0, 0), 5)
