"""What tests of the live server share."""

import pytest

from stream.live.face_judge import BatchedClassifier
from stream.live.quality import LEVELS


@pytest.fixture(scope="session")
def running_classifier():
    """A judge with its nets loaded, for any number of servers and sessions."""
    judge = BatchedClassifier()
    judge.start(LEVELS)
    yield judge
    judge.close()
