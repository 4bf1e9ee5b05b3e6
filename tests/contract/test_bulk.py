"""Whole tables come out as they went in: every row, copies too, cut by time wherever somebody likes."""

import itertools
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings

from storage.agents import AgentStorage
from storage.api import Batch
from storage.bulk import SCHEMAS, STEP_NS, TIMES, ItemTable
from storage.queries import Signal, TimeRange
from storage.schemas import AGENT_LOGS, AGENT_RUNS, AGENT_SPANS, TRANSFERS
from tests.contract.items import ALL_TIME, DAY, NOW, Row, canonical, log, logs_table, numbered_batch, span, spans_table
from tests.contract.test_agents import run, transfer
from tests.contract.test_round_trip import LOG_CASES, SPAN_CASES
from tests.otlp_messages import logs_data, traces_data
from tests.stored import table

EDGES = [0, 1, STEP_NS, NOW, NOW + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64]


def read(store: AgentStorage, kind: ItemTable, time: TimeRange = ALL_TIME) -> pa.Table:
    """Return everything of a table in a range, whatever its day."""
    parts = [part for day in store.count_days(kind) for part in store.read_slice(kind, day, time)]
    assert all(part.schema == SCHEMAS[kind] and part.num_rows for part in parts)
    return pa.concat_tables([SCHEMAS[kind].empty_table(), *parts])


def everything() -> Batch:
    """Return a batch of every case, with copies, and namesakes that differ."""
    twin = span(trace_id=bytes(16), span_id=bytes(8))
    spans = spans_table([*SPAN_CASES.values(), *SPAN_CASES.values(), twin, {**twin, "name": "other"}])
    logs = logs_table([*LOG_CASES.values(), *LOG_CASES.values(), log("", service_name="")])
    times = pa.array(range(len(logs)), pa.uint64())
    agent_logs = logs.append_column(AGENT_LOGS.field("batch_time_unix_nano"), times)
    agents: list[Row] = [
        agent_span(linked_trace_ids=[bytes(16), b"", b"\x00\xff"], cost_usd=float("inf"), input_tokens=-(2**63)),
        agent_span(agent_name="a\x00b", start_time_unix_nano=2**64 - 1, duration_ns=-1, cost_usd=-0.0),
        agent_span(start_time_unix_nano=0, batch_time_unix_nano=2**64 - 1),
    ]
    return Batch("everything", spans, logs, pa.Table.from_pylist([*agents, agents[0]], AGENT_SPANS), agent_logs)


def agent_span(**fields: Any) -> Row:
    row: Row = dict.fromkeys(AGENT_SPANS.names, "") | {
        "trace_id": bytes(15) + b"\x01",
        "span_id": bytes(8),
        "parent_span_id": b"",
        "start_time_unix_nano": NOW,
        "duration_ns": 1,
        "status_code": 0,
        **dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")),
        "linked_trace_ids": [],
        "batch_time_unix_nano": NOW,
        "day": DAY,
    }
    return row | fields


def written(batch: Batch, kind: ItemTable) -> pa.Table:
    found: pa.Table = getattr(batch, kind.value)
    return found


@pytest.mark.parametrize("kind", ItemTable)
def test_every_row_comes_back_equal_whatever_the_cuts(store: AgentStorage, kind: ItemTable) -> None:
    batch = everything()
    store.write(batch)
    assert canonical(read(store, kind)) == canonical(written(batch, kind))
    cut: list[str] = []
    for start, end in itertools.pairwise(EDGES):
        part = read(store, kind, TimeRange(start, end))
        assert all(start <= time < end for time in part[TIMES[kind]].to_pylist())
        cut += canonical(part)
    assert sorted(cut) == canonical(written(batch, kind))


@pytest.mark.parametrize("kind", ItemTable)
def test_counts_are_those_of_the_rows(store: AgentStorage, kind: ItemTable) -> None:
    assert store.count_days(kind) == {}
    batch = everything()
    store.write(batch)
    rows = written(batch, kind)
    assert store.count_days(kind) == Counter(rows["day"].to_pylist())
    for day in store.count_days(kind):
        times = [row[TIMES[kind]] for row in rows.to_pylist() if row["day"] == day]
        steps = Counter(time // STEP_NS * STEP_NS for time in times)
        assert store.count_steps(kind, day) == sorted(steps.items())
    assert store.count_steps(kind, DAY + timedelta(days=1)) == []
    assert list(store.read_slice(kind, DAY + timedelta(days=1), ALL_TIME)) == []


def test_absurd_days_are_moved_into_what_every_engine_keeps(store: AgentStorage) -> None:
    days = [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(2149, 6, 6), date(9999, 12, 31)]
    store.write(Batch("days", spans_table([span(day=day) for day in days]), logs_table([])))
    assert store.count_days(ItemTable.SPANS) == {date(1970, 1, 1): 3, date(2149, 6, 6): 2}


def test_a_slice_can_be_left_early_and_calls_go_on(store: AgentStorage) -> None:
    for number in range(3):
        store.write(numbered_batch(number, 4_000))
    parts = [store.read_slice(kind, DAY, ALL_TIME) for kind in (ItemTable.SPANS, ItemTable.LOGS)]
    for part in parts:
        assert next(part).num_rows
        assert store.count_days(ItemTable.SPANS)[DAY] == 6_000
        part.close()
    assert read(store, ItemTable.SPANS).num_rows == 12_000
    assert len(set(read(store, ItemTable.LOGS)["body"].to_pylist())) == 12_000


def test_the_rows_of_groups_are_found_page_by_page(store: AgentStorage) -> None:
    assert store.agent_group_keys("", 10) == []
    keys = [f"{number:032x}" for number in range(5)] + ["logs:a\x00b:7", "logs:ÿ😀:8"]
    transfers = [transfer(n, group_key=key) for key in keys[1:] for n in range(2)]
    runs = [run(1, "a\x00b", group_key=key, cost_usd=float("-inf")) for key in keys[:3]]
    tables = (pa.Table.from_pylist(transfers, TRANSFERS), pa.Table.from_pylist(runs, AGENT_RUNS))
    store.replace_agent_rows(keys, *tables)
    found: list[str] = []
    while page := store.agent_group_keys(found[-1] if found else "", 2):
        assert len(page) <= 2
        found += page
    assert sorted(found) == sorted(keys)
    for read_back, rows in zip(store.agent_group_rows(found), tables, strict=True):
        assert canonical(read_back) == canonical(rows)
    assert [rows.num_rows for rows in store.agent_group_rows([keys[1]])] == [2, 1]
    assert [rows.num_rows for rows in store.agent_group_rows([])] == [0, 0]
    store.replace_agent_rows(keys[:3], *(rows.slice(0, 0) for rows in tables))
    assert sorted(store.agent_group_keys("", 100)) == sorted(keys[3:])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(traces_data, logs_data)
def test_any_message_comes_out_equal(store: AgentStorage, traces: Message, logs: Message) -> None:
    batch = Batch("any", table(Signal.TRACES, traces), table(Signal.LOGS, logs))
    store.purge()
    store.write(batch)
    for kind in (ItemTable.SPANS, ItemTable.LOGS):
        assert canonical(read(store, kind)) == canonical(written(batch, kind))
