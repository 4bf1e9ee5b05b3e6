"""Which spans satisfy a condition."""

import pytest

from storage.agents import AgentStorage
from storage.errors import StorageRejected
from storage.queries import (
    FieldCondition,
    Op,
    SpanField,
    TraceQuery,
)
from tests.contract.conditions import FAILING, MATCHING, OTHER, SPAN, condition, found
from tests.contract.items import ALL_TIME, batch, span


@pytest.fixture
def filled(store: AgentStorage) -> AgentStorage:
    store.write(batch([SPAN, OTHER]))
    return store


def test_spans_that_match(filled: AgentStorage) -> None:
    missed = [part for part in MATCHING if SPAN["trace_id"] not in found(filled, part)]
    assert missed == []


def test_spans_that_do_not_match(filled: AgentStorage) -> None:
    wrong = [part for part in FAILING if SPAN["trace_id"] in found(filled, part)]
    assert wrong == []


def test_a_negative_duration_counts_as_zero(filled: AgentStorage) -> None:
    assert found(filled, FieldCondition(SpanField.DURATION, Op.EQ, "0")) == {OTHER["trace_id"]}
    shortest = filled.find_traces(TraceQuery(ALL_TIME, duration_max_ns=0))
    assert [match.trace_id for match in shortest] == [OTHER["trace_id"]]


@pytest.mark.parametrize(
    ("value", "larger"),
    [("4", {"1e5", "5.", "+4.5", "inf"}), ("-1", {"1e5", "5.", "+4.5", ".5", "inf"}), ("inf", set()), ("nan", set())],
)
def test_texts_that_are_numbers_have_an_order(store: AgentStorage, value: str, larger: set[str]) -> None:
    texts = ["1e5", "5.", "+4.5", ".5", "inf", "-3", "nan", "", " 7", "7 ", "0x10", "1_0", "five", "1e", "."]
    spans = [span(name=text) for text in texts]
    store.write(batch(spans))
    names = {each["trace_id"]: each["name"] for each in spans}

    def compared(op: Op) -> set[str]:
        return {names[trace] for trace in found(store, FieldCondition(SpanField.NAME, op, value))}

    assert compared(Op.GT) == larger
    assert compared(Op.LT) == (set() if value == "nan" else {"1e5", "5.", "+4.5", ".5", "-3", "inf"} - larger - {value})


@pytest.mark.parametrize(
    ("pattern", "matches"), [("two.words", True), ("two[^x]words", True), ("^words", False), ("two$", False)]
)
def test_a_line_end_is_a_character_like_others_to_a_pattern(store: AgentStorage, pattern: str, matches: bool) -> None:
    lines = span([("text", "two\nwords")], name="two\nwords")
    store.write(batch([lines]))
    for part in (condition("text", Op.REGEX, pattern), FieldCondition(SpanField.NAME, Op.REGEX, pattern)):
        assert found(store, part) == ({lines["trace_id"]} if matches else set())


def test_a_pattern_that_is_none_is_rejected(filled: AgentStorage) -> None:
    with pytest.raises(StorageRejected):
        found(filled, condition("text", Op.REGEX, "(unclosed"))
