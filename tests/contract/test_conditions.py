"""Which spans and log records satisfy a condition."""

from datetime import date

import pytest

from storage.agents import AgentStorage
from storage.errors import StorageRejected
from storage.queries import (
    AllOf,
    AnyOf,
    Condition,
    FieldCondition,
    Filter,
    Level,
    LogQuery,
    Not,
    Op,
    SpanField,
    TraceQuery,
)
from tests.contract.items import ALL_TIME, NOW, batch, event, link, log, resource, scope, span

ODD = 'it\'s \\ \x00 \n {x:String} "q" ÿ😀 \\N'

SPAN = span(
    [
        ("text", "value"),
        ("int", 123),
        ("big", 2**53 + 1),
        ("double", 1.5),
        ("whole", 2.0),
        ("bool", True),
        ("digits", "123"),
        ("empty", ""),
        ("twice", "first"),
        ("twice", "second"),
        ("odd", ODD),
        (ODD, "odd key"),
        ("bytes", b"\x00\xff"),
        ("nan", float("nan")),
    ],
    name="checkout",
    kind=2,
    status_code=2,
    status_message="boom",
    duration_ns=5_000,
    trace_state="a=b",
    parent_span_id=b"\x00\x01\x02\x03\x04\x05\x06\x07",
    events=[event("exception", [("exception.type", "ValueError"), ("shared", "event")])],
    links=[link([("link.reason", "retry"), ("shared", "link")])],
    resource=resource(host="node-1", shared="resource"),
    scope=scope("tracer", "2.1", shared="scope"),
)
OTHER = span([("text", "another"), ("int", -5)], name="other", kind=3, duration_ns=-7, scope=scope("plain", ""))


def condition(key: str, op: Op, value: str = "", level: Level = Level.ANY) -> Condition:
    return Condition(key, op, value, level)


MATCHING: list[Filter] = [
    condition("text", Op.EQ, "value"),
    condition("text", Op.NE, "other"),
    condition("text", Op.CONTAINS, "alu"),
    condition("text", Op.REGEX, "^v.*e$"),
    condition("text", Op.EXISTS),
    condition("int", Op.EQ, "123"),
    condition("int", Op.EQ, "123.0"),
    condition("int", Op.EQ, "1.23e2"),
    condition("int", Op.GE, "123"),
    condition("int", Op.LT, "123.5"),
    condition("big", Op.EQ, str(2**53 + 1)),
    condition("big", Op.GT, str(2**53)),
    condition("double", Op.EQ, "1.5"),
    condition("double", Op.EQ, "1.50"),
    condition("double", Op.GT, "1"),
    condition("whole", Op.EQ, "2"),
    condition("whole", Op.EQ, "2.0"),
    condition("bool", Op.EQ, "true"),
    condition("digits", Op.EQ, "123"),
    condition("digits", Op.NE, "123.0"),
    condition("empty", Op.EQ, ""),
    condition("empty", Op.EXISTS),
    condition("twice", Op.EQ, "first"),
    condition("twice", Op.EQ, "second"),
    condition("twice", Op.NE, "first"),
    condition("odd", Op.EQ, ODD),
    condition(ODD, Op.EQ, "odd key"),
    condition("odd", Op.CONTAINS, "\\ \x00 \n"),
    condition("nan", Op.EQ, "nan"),
    condition("exception.type", Op.EQ, "ValueError"),
    condition("exception.type", Op.REGEX, "Error", Level.EVENT),
    condition("link.reason", Op.EQ, "retry", Level.LINK),
    condition("host", Op.EQ, "node-1"),
    condition("host", Op.CONTAINS, "node", Level.RESOURCE),
    condition("shared", Op.EQ, "scope", Level.SCOPE),
    *[condition("shared", Op.EQ, where) for where in ("event", "link", "resource", "scope")],
    FieldCondition(SpanField.NAME, Op.EQ, "checkout"),
    FieldCondition(SpanField.NAME, Op.REGEX, "^check"),
    FieldCondition(SpanField.SERVICE, Op.NE, "bakery"),
    FieldCondition(SpanField.KIND, Op.EQ, "2"),
    FieldCondition(SpanField.STATUS, Op.EQ, "2"),
    FieldCondition(SpanField.STATUS_MESSAGE, Op.CONTAINS, "oo"),
    FieldCondition(SpanField.DURATION, Op.GE, "5000"),
    FieldCondition(SpanField.SCOPE_NAME, Op.EQ, "tracer"),
    FieldCondition(SpanField.SCOPE_VERSION, Op.EQ, "2.1"),
    FieldCondition(SpanField.SCOPE_VERSION, Op.EXISTS),
    FieldCondition(SpanField.TRACE_STATE, Op.EQ, "a=b"),
    FieldCondition(SpanField.PARENT_SPAN_ID, Op.EQ, "0001020304050607"),
    FieldCondition(SpanField.PARENT_SPAN_ID, Op.EXISTS),
    FieldCondition(SpanField.EVENT_NAME, Op.EQ, "exception"),
    AllOf(()),
    AllOf((condition("text", Op.EQ, "value"), condition("int", Op.GT, "100"))),
    AnyOf((condition("text", Op.EQ, "nothing"), condition("int", Op.EQ, "123"))),
    Not(condition("text", Op.EQ, "another")),
    Not(AnyOf(())),
]
FAILING: list[Filter] = [
    condition("text", Op.EQ, "Value"),
    condition("text", Op.NE, "value"),
    condition("text", Op.GT, "0"),
    condition("missing", Op.NE, "value"),
    condition("missing", Op.EXISTS),
    condition("int", Op.EQ, "124"),
    condition("int", Op.NE, "123.0"),
    condition("int", Op.GT, "123"),
    condition("int", Op.GT, "abc"),
    condition("big", Op.EQ, str(2**53)),
    condition("big", Op.GT, str(2**53 + 1)),
    condition("big", Op.GT, str(2**200)),
    condition("digits", Op.EQ, "123.0"),
    condition("digits", Op.GT, "1"),
    condition("nan", Op.GT, "0"),
    condition("nan", Op.GT, "nan"),
    condition("value", Op.EQ, "text"),
    condition("exception.type", Op.EQ, "ValueError", Level.ITEM),
    condition("text", Op.EQ, "value", Level.EVENT),
    condition("link.reason", Op.EQ, "retry", Level.EVENT),
    condition("host", Op.EQ, "node-1", Level.SCOPE),
    condition("shared", Op.EQ, "item"),
    condition("bytes", Op.EQ, "\ufffd"),
    FieldCondition(SpanField.NAME, Op.EQ, "Checkout"),
    FieldCondition(SpanField.KIND, Op.EQ, "two"),
    FieldCondition(SpanField.DURATION, Op.GT, "5000"),
    FieldCondition(SpanField.BODY, Op.EQ, "checkout"),
    FieldCondition(SpanField.EVENT_NAME, Op.EQ, "event"),
    AnyOf(()),
    AllOf((condition("text", Op.EQ, "value"), condition("int", Op.EQ, "-5"))),
    Not(condition("text", Op.EQ, "value")),
]


@pytest.fixture
def filled(store: AgentStorage) -> AgentStorage:
    store.write(batch([SPAN, OTHER]))
    return store


def found(store: AgentStorage, condition: Filter) -> set[bytes]:
    return {match.trace_id for match in store.find_traces(TraceQuery(ALL_TIME, filter=condition))}


def test_spans_that_match(filled: AgentStorage) -> None:
    missed = [part for part in MATCHING if SPAN["trace_id"] not in found(filled, part)]
    assert missed == []


def test_spans_that_do_not_match(filled: AgentStorage) -> None:
    wrong = [part for part in FAILING if SPAN["trace_id"] in found(filled, part)]
    assert wrong == []


IDENTIFIED = span(
    trace_id=bytes.fromhex("aabbccddeeff00112233445566778899"),
    span_id=bytes.fromhex("00000000000000ab"),
    parent_span_id=bytes.fromhex("00000000000000cd"),
    events=[event("early", time_unix_nano=NOW - 5), event("late", time_unix_nano=NOW + 2_000_000)],
    links=[
        link(trace_id=bytes.fromhex("ffffffffffffffffffffffffffffff01"), span_id=bytes.fromhex("ff00000000000001")),
        link(trace_id=bytes.fromhex("beef"), span_id=b"", trace_state="a=b"),
    ],
)
FAR = span(start_time_unix_nano=1, events=[event("last", time_unix_nano=2**64 - 1)], day=date(1970, 1, 1))
UNTIED = span(trace_id=bytes.fromhex("aabbccddeeff00112233445566778800"))
TRACE_ID, SPAN_ID, PARENT_ID = SpanField.TRACE_ID, SpanField.SPAN_ID, SpanField.PARENT_SPAN_ID
LINK_TRACE_ID, LINK_SPAN_ID = SpanField.LINK_TRACE_ID, SpanField.LINK_SPAN_ID
SINCE_START = SpanField.EVENT_TIME_SINCE_START


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        (TRACE_ID, Op.EQ, "aabbccddeeff00112233445566778899", "identified"),
        (TRACE_ID, Op.EQ, "AABBCCDDEEFF00112233445566778899", "identified"),
        (TRACE_ID, Op.NE, "aabbccddeeff00112233445566778899", "far untied"),
        (TRACE_ID, Op.EQ, "aabbccddeeff001122334455667788", ""),
        (TRACE_ID, Op.EQ, "", ""),
        (TRACE_ID, Op.EXISTS, "", "far identified untied"),
        (TRACE_ID, Op.REGEX, "^aabb.*00$", "untied"),
        (SPAN_ID, Op.EQ, "00000000000000ab", "identified"),
        (SPAN_ID, Op.EQ, "00000000000000AB", "identified"),
        (SPAN_ID, Op.EQ, "00000000000000ab00", ""),
        (SPAN_ID, Op.EQ, "000000000000ab", ""),
        (SPAN_ID, Op.EQ, "no id", ""),
        (SPAN_ID, Op.EQ, "00 00 00 00 00 00 00 ab", ""),
        (SPAN_ID, Op.EQ, "００000000000000ab", ""),
        (SPAN_ID, Op.NE, "no id", "far identified untied"),
        (SPAN_ID, Op.NE, "00000000000000ab", "far untied"),
        (SPAN_ID, Op.EXISTS, "", "far identified untied"),
        (SPAN_ID, Op.CONTAINS, "ab", "identified"),
        (SPAN_ID, Op.GT, "00000000000000aa", ""),
        (PARENT_ID, Op.EQ, "00000000000000CD", "identified"),
        (PARENT_ID, Op.EQ, "cd", ""),
        (PARENT_ID, Op.EQ, "", "far untied"),
        (PARENT_ID, Op.EXISTS, "", "identified"),
        (PARENT_ID, Op.REGEX, "cd$", "identified"),
        (LINK_TRACE_ID, Op.EQ, "ffffffffffffffffffffffffffffff01", "identified"),
        (LINK_TRACE_ID, Op.EQ, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF01", "identified"),
        (LINK_TRACE_ID, Op.EQ, "BeEf", "identified"),
        (LINK_TRACE_ID, Op.EQ, "be", ""),
        (LINK_TRACE_ID, Op.EQ, "no id", ""),
        (LINK_TRACE_ID, Op.NE, "beef", "identified"),
        (LINK_TRACE_ID, Op.NE, "no id", "identified"),
        (LINK_TRACE_ID, Op.EXISTS, "", "identified"),
        (LINK_TRACE_ID, Op.REGEX, "^f+01$", "identified"),
        (LINK_SPAN_ID, Op.EQ, "ff00000000000001", "identified"),
        (LINK_SPAN_ID, Op.EQ, "00000000000000ab", ""),
        (LINK_SPAN_ID, Op.CONTAINS, "ff0", "identified"),
        (LINK_SPAN_ID, Op.EXISTS, "", "identified"),
        (SINCE_START, Op.EQ, "2000000", "identified"),
        (SINCE_START, Op.EQ, "-5", "identified"),
        (SINCE_START, Op.NE, "-5", "far identified"),
        (SINCE_START, Op.GT, "1999999.5", "far identified"),
        (SINCE_START, Op.GE, "2000001", "far"),
        (SINCE_START, Op.EQ, str(2**64 - 2), "far"),
        (SINCE_START, Op.GT, str(2**64 - 2), ""),
        (SINCE_START, Op.LT, "0", "identified"),
        (SINCE_START, Op.LT, "soon", ""),
        (SINCE_START, Op.EXISTS, "", "far identified"),
        (SINCE_START, Op.CONTAINS, "999", ""),
        (SINCE_START, Op.REGEX, "^20+$", "identified"),
    ],
)
def test_ids_links_and_times_of_events(
    store: AgentStorage, field: SpanField, op: Op, value: str, expected: str
) -> None:
    spans = {"identified": IDENTIFIED, "far": FAR, "untied": UNTIED}
    store.write(batch(list(spans.values())))
    wanted = FieldCondition(field, op, value)
    matching = found(store, wanted)
    assert sorted(name for name, each in spans.items() if each["trace_id"] in matching) == expected.split()
    # Never unknown: what does not match, matches the opposite.
    assert found(store, Not(wanted)) == {each["trace_id"] for each in spans.values()} - matching


def test_a_negative_duration_counts_as_zero(filled: AgentStorage) -> None:
    assert found(filled, FieldCondition(SpanField.DURATION, Op.EQ, "0")) == {OTHER["trace_id"]}
    shortest = filled.find_traces(TraceQuery(ALL_TIME, duration_max_ns=0))
    assert [match.trace_id for match in shortest] == [OTHER["trace_id"]]


def test_a_pattern_that_is_none_is_rejected(filled: AgentStorage) -> None:
    with pytest.raises(StorageRejected):
        found(filled, condition("text", Op.REGEX, "(unclosed"))


LOG = log(
    "Order 17 FAILED: ÄRGER",
    [("order", 17)],
    severity_number=17,
    severity_text="ERROR",
    event_name="order.failed",
    trace_id=bytes.fromhex("aabbccddeeff00112233445566778899"),
    span_id=bytes.fromhex("00000000000000ab"),
)
LOG_MATCHING: list[Filter] = [
    condition("order", Op.EQ, "17"),
    condition("service.name", Op.EQ, "shop"),
    FieldCondition(SpanField.BODY, Op.CONTAINS, "FAILED"),
    FieldCondition(SpanField.SEVERITY, Op.GE, "17"),
    FieldCondition(SpanField.SEVERITY_TEXT, Op.EQ, "ERROR"),
    FieldCondition(SpanField.EVENT_NAME, Op.EQ, "order.failed"),
    FieldCondition(SpanField.SCOPE_NAME, Op.EQ, "library"),
    FieldCondition(SpanField.TRACE_ID, Op.EQ, "AABBccddeeff00112233445566778899"),
    FieldCondition(SpanField.SPAN_ID, Op.EQ, "00000000000000ab"),
    FieldCondition(SpanField.SPAN_ID, Op.EXISTS),
    Not(condition("order", Op.EQ, "18")),
]
LOG_FAILING: list[Filter] = [
    condition("order", Op.EQ, "17", Level.EVENT),
    condition("order", Op.LT, "17"),
    FieldCondition(SpanField.BODY, Op.CONTAINS, "failed"),
    FieldCondition(SpanField.KIND, Op.EQ, "0"),
    FieldCondition(SpanField.SPAN_ID, Op.EQ, "ab"),
    FieldCondition(SpanField.SPAN_ID, Op.EQ, ""),
    FieldCondition(SpanField.LINK_SPAN_ID, Op.NE, "ab"),
    FieldCondition(SpanField.EVENT_TIME_SINCE_START, Op.EXISTS),
]


def test_log_records_and_conditions(store: AgentStorage) -> None:
    store.write(batch(logs=[LOG, log("fine")]))

    def bodies(part: Filter) -> list[bytes]:
        records: list[bytes] = store.find_logs(LogQuery(ALL_TIME, filter=part)).records["body"].to_pylist()
        return records

    assert [part for part in LOG_MATCHING if LOG["body"] not in bodies(part)] == []
    assert [part for part in LOG_FAILING if LOG["body"] in bodies(part)] == []


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("failed", 1),
        ("ärger", 1),
        ("order 17 failed: Ä", 1),
        ("e", 2),
        ("nothing", 0),
        ("17 f", 1),
        ("%", 0),
        ("_", 0),
        ("\\", 0),
        ("", 2),
    ],
)
def test_log_text_is_any_substring_whatever_its_case(store: AgentStorage, text: str, matches: int) -> None:
    store.write(batch(logs=[LOG, log("fine")]))
    assert store.find_logs(LogQuery(ALL_TIME, text=text)).records.num_rows == matches


@pytest.mark.parametrize("text", ["100%", "a_b", "c\\d", "\x00", "x\ny", "it's", "{p0:String}", "ß"])
def test_log_text_is_taken_literally(store: AgentStorage, text: str) -> None:
    store.write(batch(logs=[log(f"before {text} after"), log("before 1000 aXb cxd after")]))
    assert store.find_logs(LogQuery(ALL_TIME, text=text)).records.num_rows == 1
    contains = FieldCondition(SpanField.BODY, Op.CONTAINS, text)
    assert store.find_logs(LogQuery(ALL_TIME, filter=contains)).records.num_rows == 1
