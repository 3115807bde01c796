"""What commands log on standard error: short lines, full ones where a command runs for long, or JSON for machines."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from emocolor.errors import EmocolorError

from ..redaction import redacted
from .messages import printable, printable_json

NOISY: Final = ("aiohttp", "aioice", "aiortc", "asyncio", "absl", "matplotlib", "PIL")
"""Libraries that log only warnings and errors, however much is asked for: below that, those of WebRTC write session
descriptions with their passwords."""
SHORT_FORMAT: Final = "%(levelname)s %(name)s: %(message)s"
FULL_FORMAT: Final = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"

PLAIN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes of a record without ``extra``."""

log = logging.getLogger(__name__)


class SafeLines(logging.Formatter):
    """Lines without control characters and secrets that came from files and networks."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return printable(super().formatException(ei), kept="\n\t")


class JsonLines(logging.Formatter):
    """One JSON object per record: time, level, logger, thread, message, what ``extra`` held, and the trace if any."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": redacted(record.getMessage()),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in PLAIN_FIELDS}
        if record.exc_info:
            entry["trace"] = redacted(self.formatException(record.exc_info))
        return printable_json(json.dumps(entry, default=str, ensure_ascii=False))


def errors_logged(work: Callable[[], int]) -> int:
    """What ``work`` returns. An error that a user can fix is logged and its exit code returned, so that with a log in
    JSON every line can be read by a machine."""
    try:
        return work()
    except EmocolorError as error:
        log.error("%s", error, extra={"event": "error", "exit_code": error.exit_code})
        return error.exit_code


def configure_logging(verbose: int, *, as_json: bool) -> None:
    """For commands that run for long: INFO and above, with ``verbose`` DEBUG too; for the whole process."""
    formatter = JsonLines() if as_json else SafeLines(FULL_FORMAT)
    _configure(logging.DEBUG if verbose else logging.INFO, formatter, force=True)


def configure_short_logging(verbose: int) -> None:
    """For all others: warnings and errors, with ``verbose`` INFO and then DEBUG too; for the whole process."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    _configure(level, SafeLines(SHORT_FORMAT), force=False)


def _configure(level: int, formatter: logging.Formatter, *, force: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=force)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
