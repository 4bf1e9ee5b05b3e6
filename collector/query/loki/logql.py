"""LogQL: log searches and the counts that Grafana draws.

    query   = selection | metric | constant
    metric  = range | "sum", [ by ], "(", range, ")", [ by ]
    range   = ( "count_over_time" | "rate" ), "(", selection, "[", duration, "]", ")"
    by      = "by", "(", [ name, { ",", name } ], ")"
    constant = "vector", "(", number, ")", { "+", "vector", "(", number, ")" }

A selection is read by `collector.query.loki.selection`.
"""

from collector.query.loki.cursor import Cursor, attempt
from collector.query.loki.selection import read_selection
from collector.query.loki.syntax import Constant, LogQl, LogSelection, Metric
from collector.query.loki.tokens import Kind, tokens
from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError

_FUNCTIONS = ("count_over_time", "rate")


def parse_logql(query: str) -> LogQl:
    """Return what the query says; raise ParseError with the position of the first mistake."""
    cursor = Cursor(tokens(query))
    found = _query(cursor)
    if cursor.next.kind is not Kind.END:
        raise ParseError("expected the end of the query", cursor.next.position)
    return found


def parse_selection(query: str) -> LogSelection:
    """Return a log search; raise ParseError also when the query is another one."""
    found = parse_logql(query)
    if not isinstance(found, LogSelection):
        raise ParseError('expected a log selection such as {service_name="cart"}', 0)
    return found


def _query(cursor: Cursor) -> LogQl:
    if cursor.skip("("):
        with cursor.bounds.nested(cursor.next.position):
            found = _query(cursor)
        cursor.expect(")")
        return found
    if cursor.next.kind is not Kind.NAME:
        return read_selection(cursor)
    name = cursor.next
    if name.text == "vector":
        return _constant(cursor)
    if name.text == "sum":
        return _sum(cursor)
    if name.text in _FUNCTIONS:
        return _range(cursor, None)
    raise ParseError(f"{name.text} is not supported; supported are sum, {', '.join(_FUNCTIONS)}", name.position)


def _constant(cursor: Cursor) -> Constant:
    value = 0.0
    while True:
        name = cursor.take()
        if name.text != "vector":
            raise ParseError("expected vector", name.position)
        cursor.expect("(")
        number = cursor.take()
        value += attempt(number, float, "expected a number")
        cursor.expect(")")
        if not cursor.skip("+"):
            return Constant(value)


def _sum(cursor: Cursor) -> Metric:
    cursor.take()
    by = _by(cursor)
    cursor.expect("(")
    if cursor.next.text not in _FUNCTIONS:
        raise ParseError(f"expected one of {', '.join(_FUNCTIONS)}", cursor.next.position)
    found = _range(cursor, ())
    cursor.expect(")")
    by = _by(cursor) if by is None else by
    return Metric(found.function, found.selection, found.range_ns, by or ())


def _by(cursor: Cursor) -> tuple[str, ...] | None:
    if cursor.next.text == "without":
        raise ParseError("without is not supported; name the labels with by", cursor.next.position)
    if cursor.next.text != "by":
        return None
    cursor.take()
    cursor.expect("(")
    names = cursor.names(")") if not cursor.at(")") else ()
    cursor.expect(")")
    return names


def _range(cursor: Cursor, by: tuple[str, ...] | None) -> Metric:
    function = cursor.take().text
    cursor.expect("(")
    selection = read_selection(cursor)
    cursor.expect("[")
    length = cursor.take()
    nanoseconds = attempt(length, parse_duration, "expected a duration such as 5m")
    if nanoseconds <= 0:
        raise ParseError("the range must be longer than zero", length.position)
    cursor.expect("]")
    cursor.expect(")")
    return Metric(function, selection, nanoseconds, by)
