"""The `where` expression and the `attr` parameter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.query.parse.conditions import parse_attribute
from collector.query.parse.errors import ParseError
from collector.query.parse.where import parse_where
from storage.queries import AllOf, AnyOf, Condition, FieldCondition, Filter, Level, Not, Op, Signal, SpanField

A = Condition("a", Op.EQ, "1")
B = Condition("b", Op.EQ, "2")
C = Condition("c", Op.EQ, "3")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a=1", A),
        ("a = 1 AND b = 2 OR c = 3", AnyOf((AllOf((A, B)), C))),
        ("a = 1 and (b = 2 or c = 3)", AllOf((A, AnyOf((B, C))))),
        ("a = 1 && b == 2 || c=3", AnyOf((AllOf((A, B)), C))),
        ("NOT a = 1", Not(A)),
        ("not (a=1 or b=2)", Not(AnyOf((A, B)))),
        ("exists(error.type)", Condition("error.type", Op.EXISTS)),
        ("error.type EXISTS", Condition("error.type", Op.EXISTS)),
        (
            'http.status_code >= 500 AND (http.route contains "cart" OR exists(error.type))',
            AllOf(
                (
                    Condition("http.status_code", Op.GE, "500"),
                    AnyOf((Condition("http.route", Op.CONTAINS, "cart"), Condition("error.type", Op.EXISTS))),
                )
            ),
        ),
        ("resource.host.name = web-1", Condition("host.name", Op.EQ, "web-1", Level.RESOURCE)),
        ("span.http.route = /cart", Condition("http.route", Op.EQ, "/cart", Level.ITEM)),
        ("event.exception.type exists", Condition("exception.type", Op.EXISTS, "", Level.EVENT)),
        ("link.k != ''", Condition("k", Op.NE, "", Level.LINK)),
        ('"resource.host" = x', Condition("resource.host", Op.EQ, "x")),
        ('resource."a b" = x', Condition("a b", Op.EQ, "x", Level.RESOURCE)),
        ("resource = x", Condition("resource", Op.EQ, "x")),
        (r'a = "say \"hi\"\n\u00e9"', Condition("a", Op.EQ, 'say "hi"\né')),
        (r"a = `C:\x`", Condition("a", Op.EQ, r"C:\x")),
        ("a matches `^x+$`", Condition("a", Op.REGEX, "^x+$")),
        ("span:duration > 1.5ms", FieldCondition(SpanField.DURATION, Op.GT, "1500000")),
        ("span:kind = server", FieldCondition(SpanField.KIND, Op.EQ, "2")),
        ("span:id = 0AB", FieldCondition(SpanField.SPAN_ID, Op.EQ, "00000000000000ab")),
        ("span:parent_id != ab", FieldCondition(SpanField.PARENT_SPAN_ID, Op.NE, "00000000000000ab")),
        ("link:trace_id = AB", FieldCondition(SpanField.LINK_TRACE_ID, Op.EQ, "000000000000000000000000000000ab")),
        ("exists(link:span_id)", FieldCondition(SpanField.LINK_SPAN_ID, Op.EXISTS)),
        ("event:time_since_start > 2ms", FieldCondition(SpanField.EVENT_TIME_SINCE_START, Op.GT, "2000000")),
        ("span:name contains pay", FieldCondition(SpanField.NAME, Op.CONTAINS, "pay")),
        ("db:system = x", Condition("db:system", Op.EQ, "x")),
        ("exists = 1", Condition("exists", Op.EQ, "1")),
        ("not = 1", Condition("not", Op.EQ, "1")),
    ],
)
def test_expressions(expression: str, expected: Filter) -> None:
    assert parse_where(Signal.TRACES, expression) == expected


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("a", 1),
        ("a = ", 4),
        ("a = 1 b = 2", 6),
        ("a = 1 AND", 9),
        ("(a = 1", 6),
        ("a = 1)", 5),
        ("a ~ 1", 2),
        ('a = "x', 4),
        ("a > fast", 4),
        ("a > nan", 4),
        ("span:nope = 1", 0),
        ("link:nope = 1", 0),
        ("span:id = nope", 10),
        ("x = 1 AND span:kind = boss", 22),
        ("nope.'k' = 1", 0),
        ("exists(", 7),
        ("and = 1", 0),
        ("(" * 40 + "a=1" + ")" * 40, 33),
        ("log:body = x", 0),
        ("a ! 1", 2),
        ("x = 1 AND a matches '['", 20),
    ],
)
def test_mistakes_have_a_position(expression: str, position: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse_where(Signal.TRACES, expression)
    assert caught.value.position == position


def test_log_expressions_have_their_own_levels_and_fields() -> None:
    assert parse_where(Signal.LOGS, "log.a = 1") == Condition("a", Op.EQ, "1", Level.ITEM)
    assert parse_where(Signal.LOGS, "log:severity >= warn") == FieldCondition(SpanField.SEVERITY, Op.GE, "13")
    assert parse_where(Signal.LOGS, "event.a = 1") == Condition("event.a", Op.EQ, "1")


@given(st.text(alphabet="ab.\"'`() =!<>&|\\~ANDORnotexists:span", max_size=40))
def test_any_text_gives_a_filter_or_a_position(expression: str) -> None:
    position: int | None = 0
    try:
        parse_where(Signal.TRACES, expression)
    except ParseError as error:
        position = error.position
    assert position is not None
    assert 0 <= position <= len(expression)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http.route=/x", Condition("http.route", Op.EQ, "/x")),
        ("http.route=/x=y and z", Condition("http.route", Op.EQ, "/x=y and z")),
        ("k!=v", Condition("k", Op.NE, "v")),
        ("http.status_code>=500", Condition("http.status_code", Op.GE, "500")),
        ("n < 3", Condition("n", Op.LT, "3")),
        ("k=~^a", Condition("k", Op.REGEX, "^a")),
        ("error.type", Condition("error.type", Op.EXISTS)),
        ("http.route contains cart = x", Condition("http.route", Op.CONTAINS, "cart = x")),
        ("resource.host.name=h", Condition("host.name", Op.EQ, "h", Level.RESOURCE)),
        ("k=", Condition("k", Op.EQ, "")),
        ("span:kind=client", FieldCondition(SpanField.KIND, Op.EQ, "3")),
    ],
)
def test_attribute_parameter(text: str, expected: Filter) -> None:
    assert parse_attribute(Signal.TRACES, text) == expected


@pytest.mark.parametrize("text", ["", "=x", "k!v", "k>fast", "span:nope=1", "resource."])
def test_bad_attribute_parameter(text: str) -> None:
    with pytest.raises(ParseError):
        parse_attribute(Signal.TRACES, text)
