"""Log lines: structlog events with fixed names and fields, as JSON lines or in colours; other libraries' too.

Attribute values and bodies of telemetry are never logged.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

Format = Literal["json", "console", "auto"]

# Libraries that talk a lot at INFO; their warnings still come through.
_TALKATIVE = ("uvicorn", "uvicorn.error", "grpc", "asyncio", "httpx", "httpcore", "clickhouse_connect")


def configure_logging(format: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Send every log line of the process to `stream` (standard error). `auto` means colours on a terminal, else JSON.

    Times are RFC 3339 in UTC. May be called again; the last call counts.
    """
    out = stream or sys.stderr
    console = format == "console" or (format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(console, out.isatty())],
        )
    )
    handler.addFilter(_SeldomRepeated())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
        library.setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class RateLimited:
    """A logger for what may happen at every request: one line per event and interval, with how many were left out.

    Thread-safe.
    """

    def __init__(self, logger: Any, seconds: float = 10.0) -> None:
        self._logger = logger
        self._seconds = seconds
        self._mutex = threading.Lock()
        self._last: dict[str, tuple[float, int]] = {}  # event → (time of its last line, left out since)

    def warning(self, event: str, **fields: object) -> None:
        """Log at WARNING, or count it as left out."""
        self._say(self._logger.warning, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log at ERROR, or count it as left out."""
        self._say(self._logger.error, event, fields)

    def _say(self, log: Callable[..., object], event: str, fields: dict[str, object]) -> None:
        now = time.monotonic()
        with self._mutex:
            last, left_out = self._last.get(event, (float("-inf"), 0))
            due = now - last >= self._seconds
            self._last[event] = (now, 0) if due else (last, left_out + 1)
        if due:
            log(event, **fields, **({"left_out": left_out} if left_out else {}))


class _SeldomRepeated(logging.Filter):
    """Lets each warning of a library through once in an interval, with how many were left out: clients cause them."""

    def __init__(self, seconds: float = 10.0, most: int = 256) -> None:
        super().__init__()
        self._seconds = seconds
        self._most = most
        self._last: dict[
            tuple[str, str], tuple[float, int]
        ] = {}  # (logger, message) → (time of its last line, left out)

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide about one record; the handler's lock is not held, and a line too many does no harm."""
        if isinstance(record.msg, dict) or record.levelno != logging.WARNING:
            return True
        if len(self._last) >= self._most:
            self._last.clear()
        key = (record.name, record.getMessage())
        last, left_out = self._last.get(key, (float("-inf"), 0))
        due = time.monotonic() - last >= self._seconds
        self._last[key] = (time.monotonic(), 0) if due else (last, left_out + 1)
        if due and left_out:
            record.left_out = left_out
        return due


def _renderers(console: bool, colors: bool) -> list[Processor]:
    if console:
        # Not the default traceback: it shows local variables, which hold attribute values.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time", exception_formatter=plain)]
    return [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer(serializer=_json)]


def _in_order(_: Any, __: str, event: EventDict) -> EventDict:
    """Put what people look for first."""
    first = {key: event.pop(key) for key in ("time", "level", "event", "logger") if key in event}
    return {**first, **event}


def _json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
