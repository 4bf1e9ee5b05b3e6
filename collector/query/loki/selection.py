"""A log selection: `{service_name="cart", level=~"warn|error"} |= "declined" | json | status >= 500 | drop __error__`.

selection = "{", [ matcher, { ",", matcher } ], "}", { stage }
stage     = ( "|=" | "!=" | "|~" | "!~" ), text, { "or", text } | "|", pipe
pipe      = "json" | "logfmt" | "decolorize" | ( "drop" | "keep" ), name, { ",", name } | filter
filter    = all, { "or", all }          all = test, { ( "and" | "," ), test }
test      = "(", filter, ")" | name, operator, ( text | number | duration )
"""

from collector.query.loki.cursor import Cursor, attempt
from collector.query.loki.syntax import (
    Both,
    Either,
    LabelFilter,
    LineFilter,
    LogSelection,
    Matcher,
    NumberTest,
    Parse,
    Pick,
    Stage,
)
from collector.query.loki.tokens import Kind
from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError
from collector.query.parse.regexes import parse_regex

_MATCHES = ("=", "!=", "=~", "!~")
_LINE_FILTERS = ("|=", "!=", "|~", "!~")
_NUMBER_TESTS = ("==", "=", "!=", ">", ">=", "<", "<=")
_UNSUPPORTED = ("line_format", "label_format", "unwrap", "regexp", "pattern", "unpack", "distinct")


def read_selection(cursor: Cursor) -> LogSelection:
    """Return the selection at the cursor; raise ParseError with the position of the first mistake."""
    if not cursor.at("{"):
        raise ParseError('expected a selection such as {service_name="cart"}', cursor.next.position)
    cursor.take()
    matchers: list[Matcher] = []
    while not cursor.at("}"):
        matchers.append(_matcher(cursor))
        if not cursor.skip(","):
            break
    cursor.expect("}")
    stages: list[Stage] = []
    while cursor.at("|", *_LINE_FILTERS):
        stages.append(_line_filter(cursor) if cursor.at(*_LINE_FILTERS) else _pipe(cursor))
    return LogSelection(tuple(matchers), tuple(stages))


def _matcher(cursor: Cursor) -> Matcher:
    cursor.bounds.condition(cursor.next.position)
    name, operator, value = cursor.name(), cursor.take(), cursor.take()
    if operator.text not in _MATCHES or operator.kind is not Kind.SIGN:
        raise ParseError(f"expected one of {', '.join(_MATCHES)}", operator.position)
    if value.kind is not Kind.TEXT:
        raise ParseError("expected a quoted text", value.position)
    if operator.text in {"=~", "!~"}:
        return Matcher(name, operator.text, attempt(value, parse_regex, ""))
    return Matcher(name, operator.text, value.text)


def _line_filter(cursor: Cursor) -> LineFilter:
    operator = cursor.take().text
    values = []
    while True:
        cursor.bounds.condition(cursor.next.position)
        value = cursor.take()
        if value.kind is not Kind.TEXT:
            raise ParseError("expected a quoted text", value.position)
        values.append(attempt(value, parse_regex, "") if operator in {"|~", "!~"} else value.text)
        if cursor.next.text != "or" or cursor.next.kind is not Kind.NAME:
            return LineFilter(operator, tuple(values))
        cursor.take()


def _pipe(cursor: Cursor) -> Stage:
    cursor.expect("|")
    name = cursor.next
    if name.kind is Kind.NAME and name.text in _UNSUPPORTED and cursor.behind.text not in _NUMBER_TESTS + _MATCHES:
        raise ParseError(f"{name.text} is not supported", name.position)
    match name.text:
        case "json" | "logfmt":
            _take_stage(cursor)
            if cursor.next.kind is Kind.NAME or cursor.at("-"):
                raise ParseError(f"{name.text} takes no parameters here", cursor.next.position)
            return Parse(name.text)
        case "drop" | "keep":
            _take_stage(cursor)
            return Pick(name.text == "drop", frozenset(cursor.names("|")))
        case "decolorize":
            _take_stage(cursor)
            return Both(())  # lines are answered as they were sent
        case _:
            return _any(cursor)


def _take_stage(cursor: Cursor) -> None:
    """Move over a stage's name; a stage counts as a condition: it runs on every record."""
    cursor.bounds.condition(cursor.take().position)


def _any(cursor: Cursor) -> LabelFilter:
    parts = [_all(cursor)]
    while cursor.next.kind is Kind.NAME and cursor.next.text == "or":
        cursor.take()
        parts.append(_all(cursor))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _all(cursor: Cursor) -> LabelFilter:
    parts = [_test(cursor)]
    while (cursor.next.kind is Kind.NAME and cursor.next.text == "and") or cursor.at(","):
        cursor.take()
        parts.append(_test(cursor))
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


def _test(cursor: Cursor) -> LabelFilter:
    if cursor.skip("("):
        with cursor.bounds.nested(cursor.next.position):
            found = _any(cursor)
        cursor.expect(")")
        return found
    cursor.bounds.condition(cursor.next.position)
    name, operator, value = cursor.name(), cursor.take(), cursor.take()
    if operator.kind is Kind.SIGN and value.kind is Kind.TEXT and operator.text in _MATCHES:
        text = attempt(value, parse_regex, "") if operator.text in {"=~", "!~"} else value.text
        return Matcher(name, operator.text, text)
    if operator.kind is Kind.SIGN and value.kind is Kind.NUMBER and operator.text in _NUMBER_TESTS:
        number = attempt(value, _seconds_or_number, "expected a number or a duration")
        return NumberTest(name, "==" if operator.text == "=" else operator.text, number)
    if operator.kind is not Kind.SIGN or operator.text not in {*_MATCHES, *_NUMBER_TESTS}:
        raise ParseError("expected a comparison such as =, !=, =~, >, >=", operator.position)
    raise ParseError("expected a quoted text, or a number behind ==, !=, >, >=, < or <=", value.position)


def _seconds_or_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_duration(text) / 1e9
