"""What commands log."""

import json
import logging

import pytest

from emocolor.errors import SinkError
from stream.cli.logs import NOISY, JsonLines, configure_logging, configure_short_logging, errors_logged


def record(**extra):
    made = logging.LogRecord("stream.x", logging.WARNING, __file__, 1, "session %s\nended", ("ab",), None)
    made.__dict__.update(extra)
    return made


def test_a_record_is_one_line_of_json():
    line = JsonLines().format(record(event="ended", statistics={"in": 3}))
    assert "\n" not in line
    entry = json.loads(line)
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "warning",
        "logger": "stream.x",
        "thread": "MainThread",
        "message": "session ab\nended",
        "event": "ended",
        "statistics": {"in": 3},
    }


def test_a_trace_is_in_the_same_line():
    try:
        raise ValueError("x")
    except ValueError as error:
        made = record()
        made.exc_info = (type(error), error, error.__traceback__)
    line = JsonLines().format(made)
    assert "\n" not in line
    assert "ValueError: x" in json.loads(line)["trace"]


@pytest.fixture
def restored():
    """Logging as it was."""
    root = logging.getLogger()
    before = root.level, list(root.handlers), {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_libraries_stay_quiet_however_much_is_asked_for(restored, verbose):
    configure_logging(verbose, as_json=False)
    assert logging.getLogger("stream").isEnabledFor(logging.INFO)
    assert logging.getLogger("stream").isEnabledFor(logging.DEBUG) == (verbose > 0)
    assert not logging.getLogger("aiortc.rtcpeerconnection").isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    ("verbose", "level"), [(0, logging.WARNING), (1, logging.INFO), (2, logging.DEBUG), (3, logging.DEBUG)]
)
def test_short_commands_log_what_is_asked_for(restored, verbose, level):
    logging.getLogger().handlers.clear()
    configure_short_logging(verbose)
    assert logging.getLogger().level == level
    (handler,) = logging.getLogger().handlers
    assert handler.format(record()) == "WARNING stream.x: session ab\\nended"


def test_an_error_is_a_record_with_its_exit_code(caplog):
    def fail():
        raise SinkError("no room")

    assert errors_logged(fail) == 5
    assert errors_logged(lambda: 3) == 3
    (entry,) = caplog.records
    assert (entry.getMessage(), entry.exit_code) == ("no room", 5)
