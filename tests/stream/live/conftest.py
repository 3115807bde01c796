"""What tests of live sessions and of the server share."""

import pytest

from stream.live.batched_classifier import BatchedClassifier
from stream.live.quality import LEVELS


@pytest.fixture(scope="session")
def running_classifier():
    """A classifier with its nets loaded, for any number of servers and sessions."""
    classifier = BatchedClassifier()
    classifier.start(LEVELS)
    yield classifier
    classifier.close()
