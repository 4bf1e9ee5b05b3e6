"""One comparison of TraceQL as a storage filter, or as a condition on the whole trace.

Attributes compare as texts, so `.http.status_code = 200` also finds "200", which Tempo keeps apart.
"""

from collections.abc import Callable

from collector.query.parse.durations import parse_nanoseconds
from collector.query.parse.errors import ParseError
from collector.query.parse.regexes import parse_regex
from collector.query.tempo.fields import SERVICE_NAME, Attribute, Intrinsic, Target, TraceFact, word_reader
from collector.query.tempo.tokens import Kind, Token
from collector.query.tempo.trace_tests import TraceCondition
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, SpanField

OPERATORS = ("=", "!=", "=~", "!~", ">", ">=", "<", "<=")
_ORDERED = {">": Op.GT, ">=": Op.GE, "<": Op.LT, "<=": Op.LE}
_BOOLEANS = frozenset({"true", "false"})
_DURATIONS = frozenset({SpanField.DURATION, SpanField.EVENT_TIME_SINCE_START})
_OF_EVENTS_AND_LINKS = frozenset(
    {SpanField.EVENT_NAME, SpanField.EVENT_TIME_SINCE_START, SpanField.LINK_TRACE_ID, SpanField.LINK_SPAN_ID}
)
NIL = "nil"


def trace_condition(fact: TraceFact, operator: str, value: Token) -> TraceCondition:
    """Return the condition; raise ParseError without a position when value or operator do not fit."""
    if fact is TraceFact.DURATION:
        if operator in {"=~", "!~"}:
            raise ParseError("a duration is no text to match")
        return TraceCondition(fact, operator, _nanoseconds(value))
    if operator in _ORDERED:
        raise ParseError("has no order; use =, !=, =~ or !~")
    text = _text(value)
    return TraceCondition(fact, operator, _anchored(text) if operator in {"=~", "!~"} else text)


def span_condition(target: Target, operator: str, value: Token) -> Filter:
    """Return the filter; raise ParseError without a position when value or operator do not fit."""
    compare = _attribute(target) if isinstance(target, Attribute) else _intrinsic(target)
    if value.kind is Kind.FIELD and value.text == NIL:
        if operator not in {"=", "!="}:
            raise ParseError("nil is compared with = or !=")
        exists = compare(Op.EXISTS, value)
        return exists if operator == "!=" else Not(exists)
    match operator:
        case "=":
            return compare(Op.EQ, value)
        case "=~":
            return compare(Op.REGEX, value)
        case "!=":
            return _present(target, compare(Op.EXISTS, value), compare(Op.EQ, value))
        case "!~":
            return _present(target, compare(Op.EXISTS, value), compare(Op.REGEX, value))
        case _:
            return compare(_ORDERED[operator], value)


def _present(target: Target, exists: Filter, same: Filter) -> Filter:
    """Return "there is a value, and it is another one"; attributes, events and links can be missing."""
    may_miss = isinstance(target, Attribute) or (isinstance(target, Intrinsic) and target.field in _OF_EVENTS_AND_LINKS)
    return AllOf((exists, Not(same))) if may_miss else Not(same)


def _attribute(target: Attribute) -> Callable[[Op, Token], Filter]:
    def compare(op: Op, value: Token) -> Filter:
        if op is Op.EXISTS:
            return _anywhere(target, op, "")
        text = _attribute_value(op, value)
        if target.key == SERVICE_NAME and target.levels == (Level.RESOURCE,) and op in {Op.EQ, Op.REGEX}:
            return FieldCondition(SpanField.SERVICE, op, text)
        return _anywhere(target, op, text)

    return compare


def _anywhere(target: Attribute, op: Op, text: str) -> Filter:
    parts = tuple(Condition(target.key, op, text, level) for level in target.levels)
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _attribute_value(op: Op, value: Token) -> str:
    if op is Op.REGEX:
        return _anchored(_text(value))
    if value.kind is Kind.NUMBER:
        return value.text if _is_plain(value.text) else _nanoseconds(value)
    if op is not Op.EQ:
        raise ParseError("expected a number or a duration to compare with")
    if value.kind is Kind.TEXT or value.text in _BOOLEANS:
        return value.text
    raise ParseError("expected a quoted text, a number, a duration, true, false or nil")


def _intrinsic(target: Target) -> Callable[[Op, Token], Filter]:
    assert isinstance(target, Intrinsic)

    def compare(op: Op, value: Token) -> Filter:
        if op is Op.EXISTS:
            return FieldCondition(target.field, op)
        if target.field in _DURATIONS:
            if op is Op.REGEX:
                raise ParseError("a duration is no text to match")
            return FieldCondition(target.field, op, _nanoseconds(value))
        if op not in {Op.EQ, Op.REGEX}:
            raise ParseError("has no order; use =, !=, =~ or !~")
        if target.words:
            if op is Op.REGEX:
                raise ParseError("is no text to match; use = or !=")
            return FieldCondition(target.field, op, word_reader(target.words)(value.text))
        text = _text(value)
        if op is Op.REGEX:
            return FieldCondition(target.field, op, ("(?i)" if target.digits else "") + _anchored(text))
        return FieldCondition(target.field, op, text.rjust(target.digits, "0") if text else text)

    return compare


def _text(value: Token) -> str:
    """Return a text, quoted or not: Grafana's form leaves out the quotes around what looks like a number or a truth."""
    if value.kind in {Kind.TEXT, Kind.NUMBER} or value.text in _BOOLEANS:
        return value.text
    raise ParseError("expected a quoted text")


def _anchored(text: str) -> str:
    return f"^(?:{parse_regex(text)})$"  # Tempo's expressions match whole texts


def _nanoseconds(value: Token) -> str:
    """Return a duration, quoted or not: Grafana's form quotes what does not look like a number."""
    if value.kind is Kind.FIELD:
        raise ParseError("expected a duration such as 10ms")
    return str(parse_nanoseconds(value.text))


def _is_plain(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
