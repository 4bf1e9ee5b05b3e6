"""What a structured filter compares: an attribute at a level, or a field that the data model defines."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from collector.query.jaeger_grpc.errors import invalid
from collector.query.parse.durations import parse_duration
from collector.query.parse.enums import KINDS, STATUSES
from collector.query.parse.errors import ParseError
from collector.query.parse.ids import parse_span_id
from collector.query.parse.regexes import parse_regex
from exporters.jaeger.generated.expression_pb2 import Expression
from storage.queries import AnyOf, Condition, FieldCondition, Filter, Level, Op, SpanField

_LEVELS = {
    "": (Level.ITEM, Level.RESOURCE),  # without a level: span or resource, never further
    "span": (Level.ITEM,),
    "resource": (Level.RESOURCE,),
    "scope": (Level.SCOPE,),
    "event": (Level.EVENT,),
    "link": (Level.LINK,),
}


def operand(expression: Expression) -> "Operand":
    """Return the reference. Raises: CallFailed when it is none, or names something unknown or not stored."""
    match expression.WhichOneof("term"):
        case "attr":
            levels = _LEVELS.get(expression.attr.level)
            if levels is None:
                raise invalid(f"unknown level {expression.attr.level!r}")
            if not expression.attr.key:
                raise invalid("an attribute needs a key")
            return AttributeOperand(expression.attr.key, levels)
        case "field":
            name = f"{expression.field.level}.{expression.field.name}"
            if name not in _FIELDS:
                raise invalid(f"field {name} is not supported; supported are {', '.join(sorted(_FIELDS))}")
            return _FIELDS[name]
        case term:
            raise invalid(f"expected an attribute or a field, not {term or 'nothing'}")


@dataclass(frozen=True, slots=True)
class AttributeOperand:
    """An attribute, looked for at every one of the levels."""

    key: str
    levels: tuple[Level, ...]

    def exists(self) -> Filter:
        """Return "the key is there"."""
        return self._anywhere(Op.EXISTS, "")

    def equals(self, value: str, hint: str) -> Filter:
        """Return "one value is equal"; a type hint is honoured where the text alone decides the type."""
        if hint not in {"", "string"} or (hint == "string" and _reads_as_other(value)):
            raise invalid(f"type {hint} is not supported for {value!r}: attributes are compared as text; leave it out")
        return self._anywhere(Op.EQ, value)

    def matches(self, pattern: str) -> Filter:
        """Return "one value matches the regular expression", unanchored."""
        return self._anywhere(Op.REGEX, _checked(parse_regex, pattern))

    def ordered(self, op: Op, value: str, hint: str) -> Filter:
        """Return the comparison of numbers."""
        if hint:
            raise invalid(
                f"type {hint} is not supported in ordered comparisons: all numbers are compared; leave it out"
            )
        if not _is_number(value):
            raise invalid(f"attributes are ordered as numbers only; {value!r} is none")
        return self._anywhere(op, value)

    def _anywhere(self, op: Op, value: str) -> Filter:
        parts = tuple(Condition(self.key, op, value, level) for level in self.levels)
        return parts[0] if len(parts) == 1 else AnyOf(parts)


@dataclass(frozen=True, slots=True)
class FieldOperand:
    """A field of the span, its service, its scope or its events. `read` turns a constant into the port's text."""

    name: str
    field: SpanField
    read: Callable[[str], str] = str
    is_text: bool = True
    is_ordered: bool = False
    is_always_there: bool = False

    def exists(self) -> Filter:
        """Return "the field is set"."""
        return FieldCondition(self.field, Op.EXISTS)

    def equals(self, value: str, hint: str) -> Filter:
        """Return "the field is equal"."""
        return FieldCondition(self.field, Op.EQ, self._constant(value, hint))

    def matches(self, pattern: str) -> Filter:
        """Return "the field matches the regular expression", unanchored."""
        if not self.is_text:
            raise invalid(f"regex does not apply to {self.name}")
        return FieldCondition(self.field, Op.REGEX, _checked(parse_regex, pattern))

    def ordered(self, op: Op, value: str, hint: str) -> Filter:
        """Return the comparison of values that have an order."""
        if not self.is_ordered:
            raise invalid(f"{op.value} is not supported for {self.name}")
        return FieldCondition(self.field, op, self._constant(value, hint))

    def _constant(self, value: str, hint: str) -> str:
        if hint not in {"", "string"} or (hint and self.is_ordered):
            raise invalid(f"{self.name} does not hold values of type {hint}")
        return _checked(self.read, value)


Operand: TypeAlias = AttributeOperand | FieldOperand


def _checked(read: Callable[[str], str], text: str) -> str:
    try:
        return read(text)
    except ParseError as error:
        raise invalid(f"{text!r}: {error}") from error


def _word(words: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ParseError(f"expected one of {', '.join(words)}")
        return str(words.index(value))

    return read


def _is_number(value: str) -> bool:
    try:
        return float(value) == float(value)  # not NaN
    except ValueError:
        return False


def _reads_as_other(value: str) -> bool:
    """Tell whether the same text may also be stored for a value that is no string."""
    return value in {"true", "false", ""} or _is_number(value) or value.lower() in {"nan", "inf", "-inf"}


_FIELDS = {
    field.name: field
    for field in (
        FieldOperand("span.name", SpanField.NAME, is_always_there=True),
        FieldOperand("span.kind", SpanField.KIND, _word(KINDS), is_text=False, is_always_there=True),
        FieldOperand("span.status", SpanField.STATUS, _word(STATUSES), is_text=False, is_always_there=True),
        FieldOperand("span.statusMessage", SpanField.STATUS_MESSAGE),
        FieldOperand("span.traceState", SpanField.TRACE_STATE),
        FieldOperand("span.parentSpanID", SpanField.PARENT_SPAN_ID, lambda text: parse_span_id(text).hex()),
        FieldOperand(
            "span.duration",
            SpanField.DURATION,
            lambda text: str(parse_duration(text)),
            is_text=False,
            is_ordered=True,
            is_always_there=True,
        ),
        FieldOperand("resource.service", SpanField.SERVICE),
        FieldOperand("scope.name", SpanField.SCOPE_NAME),
        FieldOperand("scope.version", SpanField.SCOPE_VERSION),
        FieldOperand("event.name", SpanField.EVENT_NAME),
    )
}
