"""Which spans satisfy a condition on ids, links, or the time of an event."""

from datetime import date

from storage.agents import AgentStorage
from storage.queries import (
    FieldCondition,
    Not,
    Op,
    SpanField,
)
from tests.contract.conditions import found
from tests.contract.items import NOW, batch, event, link, span

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
UNTIED = span(trace_id=bytes.fromhex("aabbccddeeff00112233445566778800"), parent_span_id=bytes(8))
TRACE_ID, SPAN_ID, PARENT_ID = SpanField.TRACE_ID, SpanField.SPAN_ID, SpanField.PARENT_SPAN_ID
LINK_TRACE_ID, LINK_SPAN_ID = SpanField.LINK_TRACE_ID, SpanField.LINK_SPAN_ID
SINCE_START = SpanField.EVENT_TIME_SINCE_START


CASES = (
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
    (PARENT_ID, Op.EQ, "", "far"),
    (PARENT_ID, Op.EQ, "0000000000000000", "untied"),
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
)


def test_ids_links_and_times_of_events(store: AgentStorage) -> None:
    spans = {"identified": IDENTIFIED, "far": FAR, "untied": UNTIED}
    store.write(batch(list(spans.values())))
    wrong = []
    for field, op, value, expected in CASES:
        wanted = FieldCondition(field, op, value)
        matching = found(store, wanted)
        names = sorted(name for name, each in spans.items() if each["trace_id"] in matching)
        # Never unknown: what does not match, matches the opposite.
        opposite = found(store, Not(wanted))
        if names != expected.split() or opposite != {each["trace_id"] for each in spans.values()} - matching:
            wrong.append((field, op, value, names, opposite))
    assert wrong == []
