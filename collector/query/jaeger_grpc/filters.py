"""Jaeger's structured filter (`jaeger.expression.v1`) compiled to a storage filter.

What cannot be answered exactly is refused: comparing two references, matching several fields of one event (`some`),
ordering texts, type hints that the store's text comparison does not keep apart.
Source: Jaeger RFC 0005, "Structured Query Filters for Trace Search".
"""

from collections.abc import Sequence

from collector.query.jaeger_grpc.errors import invalid
from collector.query.jaeger_grpc.operands import AttributeOperand, FieldOperand, Operand, operand
from collector.query.parse.bounds import Bounds
from collector.query.parse.errors import ParseError
from exporters.jaeger.generated.expression_pb2 import Call, Expression
from storage.queries import AllOf, AnyOf, Filter, Not, Op

LEVELS = ("span", "resource", "scope", "event", "link")
OPERATORS = ("and", "or", "not", "eq", "ne", "gt", "lt", "gte", "lte", "regex", "exists", "in", "not_in")

_ORDERED = {"gt": Op.GT, "lt": Op.LT, "gte": Op.GE, "lte": Op.LE}
_MIRRORED = {"gt": "lt", "lt": "gt", "gte": "lte", "lte": "gte"}


def compile_filter(call: Call) -> Filter:
    """Return the storage filter. Raises: CallFailed with INVALID_ARGUMENT for what is malformed or not supported."""
    try:
        return _Compiler().predicate(call)
    except ParseError as error:
        raise invalid(f"the filter has a fault: {error}") from error


class _Compiler:
    """Compiles one filter; bounded in depth and conditions."""

    def __init__(self) -> None:
        self._bounds = Bounds()

    def predicate(self, call: Call) -> Filter:
        match call.op:
            case "and":
                return AllOf(self._predicates(call, at_least=2))
            case "or":
                return AnyOf(self._predicates(call, at_least=2))
            case "not":
                _check_arity(call, 1)
                return Not(self._predicates(call, at_least=1)[0])
            case op if op in OPERATORS:
                return self._leaf(call)
            case op:
                raise invalid(f"filter operator {op!r} is not supported; supported are {', '.join(OPERATORS)}")

    def _predicates(self, call: Call, at_least: int) -> tuple[Filter, ...]:
        if len(call.args) < at_least:
            raise invalid(f"{call.op} takes at least {at_least} predicates")
        if any(arg.WhichOneof("term") != "call" for arg in call.args):
            raise invalid(f"the operands of {call.op} must be predicates")
        with self._bounds.nested():
            return tuple(self.predicate(arg.call) for arg in call.args)

    def _leaf(self, call: Call) -> Filter:
        self._bounds.condition()
        if call.op == "exists":
            _check_arity(call, 1)
            return operand(call.args[0]).exists()
        _check_arity(call, 2)
        if call.op in {"in", "not_in"}:
            return self._membership(call)
        return _comparison(call.op, *call.args)

    def _membership(self, call: Call) -> Filter:
        if call.args[1].WhichOneof("term") != "list" or not call.args[1].list.values:
            raise invalid(f"the second operand of {call.op} must be a list with at least one value")
        target, constants = operand(call.args[0]), call.args[1].list
        self._bounds.condition(count=len(constants.values) - 1)
        if isinstance(target, AttributeOperand) and not constants.type:
            raise invalid("a list compared with an attribute must declare its type")
        parts = [target.equals(value, constants.type) for value in constants.values]
        return AnyOf(tuple(parts)) if call.op == "in" else _not_equal(target, parts)


def _comparison(op: str, left: Expression, right: Expression) -> Filter:
    if left.WhichOneof("term") == "scalar":
        if op == "regex":
            raise invalid("the first operand of regex must be an attribute or a field")
        left, right, op = right, left, _MIRRORED.get(op, op)
    if right.WhichOneof("term") != "scalar":
        raise invalid(f"{op} compares an attribute or a field with a constant; nothing else is supported")
    target, value, hint = operand(left), right.scalar.value, right.scalar.type
    if op == "eq":
        return target.equals(value, hint)
    if op == "ne":
        return _not_equal(target, [target.equals(value, hint)])
    if op == "regex":
        return target.matches(value)
    return target.ordered(_ORDERED[op], value, hint)


def _not_equal(target: Operand, equal: Sequence[Filter]) -> Filter:
    """Return "there is a value, and none is equal": an absent reference makes every comparison false."""
    none_equal = Not(equal[0] if len(equal) == 1 else AnyOf(tuple(equal)))
    if isinstance(target, FieldOperand) and target.is_always_there:
        return none_equal
    return AllOf((target.exists(), none_equal))


def _check_arity(call: Call, operands: int) -> None:
    if len(call.args) != operands:
        raise invalid(f"{call.op} takes {operands} operand{'s' if operands > 1 else ''}, not {len(call.args)}")
