"""The page of results is that of the records."""

import pytest

pytest.importorskip("torch", reason="torch is not installed; the ablation's module trains nets")

from emocolor.errors import ConfigurationError
from training.tables import PAGE, filled


def test_the_page_is_up_to_date():
    page = PAGE.read_text()
    assert filled(page) == page, "run python -m training.tables"


def test_a_page_without_marks_is_refused():
    with pytest.raises(ConfigurationError, match="lacks the marks <!-- s0 -->"):
        filled("# Training\n")
