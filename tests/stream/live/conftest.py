"""What tests of the live server share."""

import pytest

from stream.live.face_judge import FaceJudge
from stream.live.quality import LEVELS


@pytest.fixture(scope="session")
def running_judge():
    """A judge with its nets loaded, for any number of servers and sessions."""
    judge = FaceJudge()
    judge.start(LEVELS)
    yield judge
    judge.close()
