"""Which log records satisfy a condition, and which contain a text."""

import pytest

from storage.agents import AgentStorage
from storage.queries import (
    FieldCondition,
    Filter,
    Level,
    LogQuery,
    Not,
    Op,
    SpanField,
)
from tests.contract.conditions import condition
from tests.contract.items import ALL_TIME, batch, log

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
