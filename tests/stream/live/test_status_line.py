"""A line that gives way to the log."""

import logging

from stream.live.status_line import CLEAR, StatusLine


def test_a_record_takes_the_line_away_and_the_next_status_brings_it_back(capsys):
    line = StatusLine()
    handler = logging.StreamHandler()
    handler.addFilter(line)
    record = logging.makeLogRecord({"msg": "lost"})
    line.show("30 fps")
    handler.handle(record)
    line.show("29 fps")
    handler.handle(record)
    handler.handle(record)
    assert capsys.readouterr().err == f"{CLEAR}30 fps{CLEAR}lost\n{CLEAR}29 fps{CLEAR}lost\nlost\n"


def test_nothing_is_cleared_where_nothing_is_shown(capsys):
    StatusLine().show("")
    assert capsys.readouterr().err == ""
