"""What commands that run for long write on standard error: plain lines, or JSON for machines."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from emocolor.errors import EmocolorError

NOISY: Final = ("aiohttp", "aioice", "aiortc", "asyncio", "absl", "matplotlib", "PIL")
"""Libraries that tell warnings and errors alone, however much is asked for: below that, those of WebRTC write session
descriptions with their passwords."""

PLAIN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a record has without ``extra``."""

log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """One JSON object a record: time, level, logger, thread, message, what ``extra`` held, and the trace if any."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        entry |= {name: value for name, value in vars(record).items() if name not in PLAIN_FIELDS}
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def errors_logged(work: Callable[[], int]) -> int:
    """What ``work`` returns; an error that a user can mend is logged, and its exit code returned: with a log in JSON,
    every line can be read by a machine."""
    try:
        return work()
    except EmocolorError as error:
        log.error("%s", error, extra={"event": "error", "exit_code": error.exit_code})
        return error.exit_code


def configure_logging(verbose: int, *, as_json: bool) -> None:
    """Tell what happens from INFO on, with ``verbose`` from DEBUG on; for the whole process."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if as_json else plain)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
