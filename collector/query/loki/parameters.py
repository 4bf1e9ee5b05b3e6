"""What the Loki routes are asked, read from their parameters."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from collector.query.loki.errors import BadParameter
from collector.query.loki.logql import parse_logql, parse_selection
from collector.query.loki.syntax import LogQl, LogSelection
from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError
from collector.query.parse.numbers import parse_count
from collector.query.parse.times import parse_time
from collector.query.ranges import EVERYTHING
from storage.queries import TimeRange

_SECOND = 10**9
_MINUTE = 60 * _SECOND
_HOUR = 3600 * _SECOND
_NAMES_NS = 6 * _HOUR
_DEFAULT_POINTS = 250  # Loki's own choice of a step when none is given
MAX_SELECTIONS = 32  # each is a search of its own
_Parsed = TypeVar("_Parsed")


def read_query(parameters: Mapping[str, str]) -> LogQl:
    """Return the parameter `query`. Raises: BadParameter."""
    return _parsed("query", parse_logql, parameters.get("query", ""))


def read_selection(parameters: Mapping[str, str]) -> LogSelection:
    """Return the parameter `query`, which must be a log selection. Raises: BadParameter."""
    return selection("query", parameters.get("query", ""))


def selections(name: str, texts: Sequence[str]) -> list[LogSelection]:
    """Return a repeatable parameter's log selections. Raises: BadParameter."""
    if len(texts) > MAX_SELECTIONS:
        raise BadParameter(f"invalid {name}: more than {MAX_SELECTIONS} selections")
    return [selection(name, text) for text in texts]


def selection(name: str, text: str) -> LogSelection:
    """Return a log selection. Raises: BadParameter that names the parameter."""
    return _parsed(name, parse_selection, text)


def read_time(parameters: Mapping[str, str], name: str, now: int) -> int | None:
    """Return a point in time, or None when it is not given. Raises: BadParameter."""
    text = parameters.get(name, "")
    return _parsed(name, lambda given: parse_time(given, now), text) if text else None


def read_range(parameters: Mapping[str, str], now: int, default_ns: int = _HOUR) -> TimeRange:
    """Return [start, end), by default the last hour. Raises: BadParameter."""
    end = read_time(parameters, "end", now)
    end = now if end is None else end
    start = read_time(parameters, "start", now)
    if start is None:
        since = parameters.get("since", "")
        start = max(end - (_parsed("since", parse_duration, since) if since else default_ns), 0)
    if end < start:
        raise BadParameter("invalid end: end timestamp must not be before or equal to start time")
    return TimeRange(start, min(max(end, start + 1), EVERYTHING.end))


def read_names_range(parameters: Mapping[str, str], now: int) -> TimeRange:
    """Return the range to look for names in, by default the last six hours: whole minutes. Raises: BadParameter.

    Loki looks whole chunks up, so that Grafana asks for the labels of one record by its millisecond alone.
    """
    asked = read_range(parameters, now, _NAMES_NS)
    return TimeRange(asked.start // _MINUTE * _MINUTE, min(-(-asked.end // _MINUTE) * _MINUTE, EVERYTHING.end))


def read_step(parameters: Mapping[str, str], time: TimeRange) -> int:
    """Return the step in nanoseconds: "5000ms", "5m", or seconds. Raises: BadParameter."""
    text = parameters.get("step", "")
    if not text:
        return max(math.ceil((time.end - time.start) / _SECOND / _DEFAULT_POINTS), 1) * _SECOND
    try:
        step = int(float(text) * _SECOND)
    except (ValueError, OverflowError):
        step = _parsed("step", parse_duration, text)
    if step <= 0:
        raise BadParameter("invalid step: must be longer than zero")
    return step


def read_limit(parameters: Mapping[str, str], default: int, maximum: int) -> int:
    """Return the number of lines wanted. Raises: BadParameter."""
    text = parameters.get("limit", "")
    if not text:
        return default
    limit = _parsed("limit", parse_count, text)
    if limit < 1:
        raise BadParameter("invalid limit: must be a positive number")
    if limit > maximum:
        raise BadParameter(f"invalid limit: at most {maximum} lines")
    return limit


def read_oldest_first(parameters: Mapping[str, str]) -> bool:
    """Return whether the oldest entries come first. Raises: BadParameter."""
    direction = parameters.get("direction", "backward").lower()
    if direction not in {"forward", "backward"}:
        raise BadParameter("invalid direction: expected forward or backward")
    return direction == "forward"


def _parsed(name: str, parse: Callable[[str], _Parsed], text: str) -> _Parsed:
    try:
        return parse(text)
    except ParseError as error:
        where = "" if error.position is None else f" at position {error.position}"
        raise BadParameter(f"invalid {name}{where}: {error}") from error
