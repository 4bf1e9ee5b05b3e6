"""Log lines: structlog events with fixed names and fields, as JSON lines or in colours; other libraries' too.

Attribute values and bodies of telemetry are never logged.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from storage.errors import StorageRejected, StorageUnavailable

Format = Literal["json", "console", "auto"]

# Libraries that talk a lot at INFO; their warnings still come through.
_TALKATIVE = ("uvicorn", "uvicorn.error", "grpc", "asyncio", "httpx", "httpcore", "clickhouse_connect")
_MOST_FRAMES = 6
_MOST_KEYS = 256  # beyond, what was let through is forgotten


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


def described(error: Exception) -> dict[str, Any]:
    """Return fields that say what failed; of errors that nobody foresaw where, not the text: it may quote telemetry."""
    if isinstance(error, (StorageRejected, StorageUnavailable, OSError)):
        return {"error": type(error).__name__, "detail": str(error)[:500]}
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    return {"error": type(error).__name__, "places": [f"{frame.name}:{frame.lineno}" for frame in frames]}


def in_words(error: Exception) -> str:
    """Return the same as one text."""
    fields = described(error)
    return f"{fields['error']}: {fields.get('detail') or ', '.join(fields['places'])}"


class _Interval:
    """Lets each key through once in an interval. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._mutex = threading.Lock()
        self._last: dict[Hashable, tuple[float, int]] = {}  # key → (when it was let through, left out since)

    def left_out(self, key: Hashable) -> int | None:
        """Return how many were left out since the last one that was let through; None: leave this one out, too."""
        now = time.monotonic()
        with self._mutex:
            if len(self._last) >= _MOST_KEYS:
                self._last.clear()
            last, left_out = self._last.get(key, (float("-inf"), 0))
            if now - last < self._seconds:
                self._last[key] = (last, left_out + 1)
                return None
            self._last[key] = (now, 0)
            return left_out


class RateLimited:
    """A logger for what may happen at every request: one line per event and interval, with how many were left out.

    Thread-safe.
    """

    def __init__(self, logger: Any, seconds: float = 10.0) -> None:
        self._logger = logger
        self._interval = _Interval(seconds)

    def warning(self, event: str, **fields: object) -> None:
        """Log at WARNING, or count it as left out."""
        self._say(self._logger.warning, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log at ERROR, or count it as left out."""
        self._say(self._logger.error, event, fields)

    def _say(self, log: Callable[..., object], event: str, fields: dict[str, object]) -> None:
        left_out = self._interval.left_out(event)
        if left_out is not None:
            log(event, **fields, **({"left_out": left_out} if left_out else {}))


class _SeldomRepeated(logging.Filter):
    """Lets each warning of a library through once in an interval, with how many were left out: clients cause them."""

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self._interval = _Interval(seconds)

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide about one record."""
        if isinstance(record.msg, dict) or record.levelno != logging.WARNING:
            return True
        left_out = self._interval.left_out((record.name, record.getMessage()))
        if left_out:
            record.left_out = left_out
        return left_out is not None


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
