"""Transfers, runs and agentic spans: replaced, found, summed up. Ids end in zero bytes on purpose."""

import datetime
import uuid
from typing import Any

import pyarrow as pa

from storage.agents import AgentStorage, ConversationQuery, RunQuery, TransferCursor, TransferQuery
from storage.api import Batch, empty_logs, empty_spans
from storage.queries import LogQuery, TimeRange
from storage.schemas import AGENT_RUNS, AGENT_SPANS, LOGS, TRANSFERS
from tests.contract.items import ALL_TIME

T0 = 1_800_000_000 * 10**9
DAY = datetime.date(2027, 1, 15)
ONE, TWO, ZERO = b"\x01" * 15 + b"\x00", b"\x02" * 14 + b"\x00\x00", bytes(16)
SPAN = b"\x07" * 7 + b"\x00"


def transfer(number: int, trace_id: bytes = ONE, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(TRANSFERS.names, "") | {
        "id": f"{number:032x}",
        "group_key": trace_id.hex(),
        "trace_id": trace_id,
        "from_agent": "a",
        "to_agent": "b",
        "kind": "handoff",
        "completed": True,
        "waits": False,
        "time_unix_nano": T0 + number,
        "trigger_span_id": SPAN,
        "target_span_id": b"",
        "target_trace_id": b"",
        "signal": "span",
        "rule": "handoff_span",
        "confidence": 0.9,
        "day": DAY,
    }
    return row | more


def run(number: int, name: str, trace_id: bytes = ONE, span_id: bytes = SPAN, **more: Any) -> dict[str, Any]:
    row = dict.fromkeys(AGENT_RUNS.names, "") | {
        "id": f"{number:032x}",
        "group_key": trace_id.hex(),
        "trace_id": trace_id,
        "span_id": span_id,
        "service_name": "desk",
        "agent_name": name,
        "start_time_unix_nano": T0 + number * 1000,
        "duration_ns": 500,
        "error": False,
        "model_calls": 1,
        "tool_calls": 2,
        **dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")),
        "day": DAY,
    }
    return row | more


def replace(store: AgentStorage, transfers: list[dict[str, Any]], runs: list[dict[str, Any]], *traces: bytes) -> None:
    keys = [trace.hex() for trace in traces or (ONE,)]
    tables = (pa.Table.from_pylist(transfers, schema=TRANSFERS), pa.Table.from_pylist(runs, schema=AGENT_RUNS))
    store.replace_agent_rows(keys, *tables)


def ids(table: pa.Table) -> list[int]:
    return [int(text, 16) for text in table["id"].to_pylist()]


def test_the_newest_are_found_below_rows_that_are_gone(store: AgentStorage) -> None:
    """Many later rows were replaced or taken back: none of their versions may stand in the way of the page."""
    replace(store, [transfer(number, TWO) for number in range(1, 6)], [], TWO)
    for turn in range(4):
        replace(store, [transfer(100 * turn + number) for number in range(100, 160)], [])
    replace(store, [transfer(50)], [])
    assert ids(store.find_transfers(TransferQuery(limit=1))) == [50]
    assert ids(store.find_transfers(TransferQuery(limit=3))) == [50, 5, 4]
    assert ids(store.find_transfers(TransferQuery(limit=100))) == [50, 5, 4, 3, 2, 1]
    after = TransferCursor(T0 + 5, f"{5:032x}")
    assert ids(store.find_transfers(TransferQuery(limit=2, after=after))) == [4, 3]
    assert ids(store.find_transfers(TransferQuery(time=TimeRange(T0, T0 + 3), limit=1))) == [2]
    assert ids(store.find_transfers(TransferQuery(from_agent="nobody"))) == []


def test_as_many_groups_as_there_may_be(store: AgentStorage) -> None:
    traces = [number.to_bytes(16) for number in range(1, 5_001)]
    rows = [transfer(number, trace, conversation_id="c") for number, trace in enumerate(traces)]
    runs = [run(number, "a", trace, conversation_id="c") for number, trace in enumerate(traces)]
    replace(store, rows, runs, *traces)
    assert store.find_transfers(TransferQuery(conversation_id="c", limit=10_000)).num_rows == 5_000
    assert store.find_transfers(TransferQuery(limit=10_000)).num_rows == 5_000
    assert store.find_runs(RunQuery(conversation_id="c")).num_rows == 5_000
    (edge,) = store.transfer_edges(TransferQuery(conversation_id="c")).to_pylist()
    assert edge["transfers"] == 5_000
    assert len(store.traces_of_conversation("c", 10_000)) == 5_000
    replace(store, [], [], *traces)
    assert store.find_transfers(TransferQuery()).num_rows == 0


def test_rows_of_a_group_are_replaced(store: AgentStorage) -> None:
    replace(store, [transfer(1), transfer(2), transfer(3)], [run(1, "a"), run(2, "b")])
    replace(store, [transfer(9, TWO)], [], TWO)
    replace(store, [transfer(2, kind="return"), transfer(4)], [run(1, "a", error=True)])
    everything = store.find_transfers(TransferQuery())
    assert ids(everything) == [9, 4, 2]
    assert everything["kind"].to_pylist() == ["handoff", "handoff", "return"]
    assert store.find_runs(RunQuery())["error"].to_pylist() == [True]
    for query in (TransferQuery(trace_id=ONE), TransferQuery(trace_ids=[ONE, ZERO])):
        assert ids(store.find_transfers(query)) == [4, 2]
    replace(store, [], [])
    assert ids(store.find_transfers(TransferQuery())) == [9]
    assert ids(store.find_transfers(TransferQuery(trace_ids=[ONE]))) == []
    assert store.find_runs(RunQuery(trace_ids=[ONE])).num_rows == 0


def test_a_replaced_row_is_found_by_what_it_says_now(store: AgentStorage) -> None:
    replace(store, [transfer(1, conversation_id="before", confidence=0.5)], [run(1, "a", conversation_id="before")])
    replace(store, [transfer(1, conversation_id="after", confidence=0.9)], [run(1, "a", conversation_id="after")])
    for name, expected in (("before", []), ("after", [1])):
        assert ids(store.find_transfers(TransferQuery(conversation_id=name, min_confidence=0.8))) == expected
        assert ids(store.find_runs(RunQuery(conversation_id=name))) == expected


def test_transfers_by_each_condition(store: AgentStorage) -> None:
    rows = [
        transfer(1, from_agent="x"),
        transfer(2, to_agent="y", kind="return"),
        transfer(3, signal="log", confidence=0.3),
        transfer(4, target_trace_id=TWO),
        transfer(5, b"", group_key="logs:desk:1"),
    ]
    replace(store, rows, [])
    for query, expected in (
        (TransferQuery(from_agent="x"), [1]),
        (TransferQuery(to_agent="y", kind="return"), [2]),
        (TransferQuery(signal="log"), [3]),
        (TransferQuery(min_confidence=0.5), [5, 4, 2, 1]),
        (TransferQuery(trace_id=TWO), [4]),
        (TransferQuery(trace_ids=[TWO]), []),
        (TransferQuery(trace_ids=[]), []),
        (TransferQuery(time=TimeRange(T0 + 2, T0 + 4)), [3, 2]),
        (TransferQuery(limit=2), [5, 4]),
        (TransferQuery(limit=2, after=TransferCursor(T0 + 4, f"{4:032x}")), [3, 2]),
    ):
        assert ids(store.find_transfers(query)) == expected, query


def test_edges_are_sums_and_know_how_long_the_target_took_to_start(store: AgentStorage) -> None:
    replace(
        store,
        [
            transfer(1, target_span_id=SPAN, confidence=0.5, rule="handoff_tool"),
            transfer(2, target_span_id=SPAN, target_trace_id=TWO),
            transfer(3, completed=False),
            transfer(4, kind="delegation"),
            transfer(5, from_agent="b", to_agent="a"),
        ],
        [run(7, "b"), run(9, "b", TWO), run(8, "other", ONE, b"\x07" * 8)],
        ONE,
        TWO,
    )
    edges = store.transfer_edges(TransferQuery(limit=10)).to_pylist()
    assert [(edge["from_agent"], edge["kind"], edge["transfers"], edge["completed"]) for edge in edges] == [
        ("a", "handoff", 3, 2),
        ("a", "delegation", 1, 1),
        ("b", "handoff", 1, 1),
    ]
    first = edges[0]
    assert (first["latency_count"], first["latency_mean_ns"]) == (2, ((7000 - 1) + (9000 - 2)) // 2)
    assert edges[1]["latency_mean_ns"] is None
    assert (first["confidence_min"], round(first["confidence_mean"], 3)) == (0.5, 0.767)
    assert (first["rules"], first["signals"]) == (["handoff_span", "handoff_tool"], ["span"])
    assert (first["first_seen_unix_nano"], first["last_seen_unix_nano"]) == (T0 + 1, T0 + 3)
    assert store.transfer_edges(TransferQuery(limit=1)).num_rows == 1
    assert store.transfer_edges(TransferQuery(trace_ids=[ZERO])).num_rows == 0
    assert store.transfer_edges(TransferQuery(trace_ids=[ONE], kind="delegation")).num_rows == 1


def test_figures_are_sums_of_the_matching_runs(store: AgentStorage) -> None:
    rows = [
        run(1, "a", input_tokens=5, cost_usd=0.5, model="m-2"),
        run(2, "a", TWO, input_tokens=7, error=True, model="m-1", conversation_id="c"),
        run(3, "b"),
        run(4, ""),
    ]
    replace(store, [], rows, ONE, TWO)
    found = {row["agent_name"]: row for row in store.agent_figures(RunQuery(limit=10)).to_pylist()}
    assert list(found) == ["a", "b"]
    a = found["a"]
    assert (a["runs"], a["errors"], a["model_calls"], a["tool_calls"]) == (2, 1, 2, 4)
    assert (a["input_tokens"], a["output_tokens"], a["cost_usd"]) == (12, None, 0.5)
    assert (a["models"], a["services"], a["duration_p50_ns"]) == (["m-1", "m-2"], ["desk"], 500)
    assert (a["first_seen_unix_nano"], a["last_seen_unix_nano"]) == (T0 + 1000, T0 + 2000)
    for query, expected in (
        (RunQuery(trace_id=TWO), {"a": 1}),
        (RunQuery(trace_ids=[ONE]), {"a": 1, "b": 1}),
        (RunQuery(trace_ids=[]), {}),
        (RunQuery(conversation_id="c"), {"a": 1}),
        (RunQuery(agent_name="b"), {"b": 1}),
        (RunQuery(time=TimeRange(T0 + 2000, T0 + 4000)), {"a": 1, "b": 1}),
        (RunQuery(limit=1), {"a": 2}),
    ):
        assert {row["agent_name"]: row["runs"] for row in store.agent_figures(query).to_pylist()} == expected, query


def agent_span(number: int, trace_id: bytes, conversation: str, batch: int = 1) -> dict[str, Any]:
    return dict.fromkeys(AGENT_SPANS.names, "") | {
        "trace_id": trace_id,
        "span_id": bytes([number]) + bytes(7),
        "parent_span_id": b"",
        "start_time_unix_nano": T0 + number,
        "duration_ns": 10,
        "status_code": 0,
        "agent_name": "a",
        "conversation_id": conversation,
        **dict.fromkeys(("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd")),
        "linked_trace_ids": [ZERO] if number == 3 else [],
        "batch_time_unix_nano": batch,
        "day": DAY,
    }


def test_ids_come_back_whole(store: AgentStorage) -> None:
    rows = [agent_span(1, ONE, "c"), agent_span(2, TWO, "c"), agent_span(2, TWO, "c"), agent_span(3, TWO, "")]
    spans = pa.Table.from_pylist(rows, schema=AGENT_SPANS)
    store.write(Batch(str(uuid.uuid4()), empty_spans(), empty_logs(), spans))
    assert store.traces_of_conversation("c", 10) == [ONE, TWO]
    assert store.traces_of_conversation("c", 1) == [ONE]
    assert store.traces_of_conversations(["c"], ALL_TIME) == [ONE, TWO]
    assert store.traces_linking_to([ZERO]) == [TWO]
    assert [trace for trace, _ in store.agentic_since(0, 10).traces] == [ONE, TWO]
    assert store.trace_joins([ONE, TWO])["trace_id"].to_pylist() == [ONE, TWO]
    found = store.agent_spans([ONE, TWO], 10)
    assert found.schema == AGENT_SPANS
    assert [row["span_id"][0] for row in found.to_pylist()] == [1, 2, 3]
    assert store.agent_spans([ONE, TWO], 2).num_rows == 2
    assert store.agent_spans([], 2).num_rows == 0
    (conversation,) = store.conversations(ConversationQuery(ALL_TIME)).to_pylist()
    assert (conversation["traces"], conversation["spans"]) == (2, 2)


def test_ends_stay_within_64_bits(store: AgentStorage) -> None:
    last = 2**64 - 1
    times = {"start_time_unix_nano": last - 5, "duration_ns": 100}, {"start_time_unix_nano": 7, "duration_ns": -3}
    rows = [agent_span(number, ONE, f"c{number}") | more for number, more in enumerate(times, 1)]
    store.write(Batch(str(uuid.uuid4()), empty_spans(), empty_logs(), pa.Table.from_pylist(rows, schema=AGENT_SPANS)))
    (joins,) = store.trace_joins([ONE]).to_pylist()
    assert (joins["start_time_unix_nano"], joins["end_time_unix_nano"]) == (7, last)
    found = store.conversations(ConversationQuery(ALL_TIME))
    assert found["conversation_id"].to_pylist() == ["c1", "c2"]
    assert found["end_time_unix_nano"].to_pylist() == [last, 7]


def test_sums_and_means_stay_within_64_bits(store: AgentStorage) -> None:
    """One sender's absurd counts and times must not be the end of everybody's figures."""
    largest = 2**63 - 1
    runs = [run(1, "b", input_tokens=largest), run(2, "b", input_tokens=largest, output_tokens=5), run(3, "c")]
    replace(store, [transfer(1, time_unix_nano=2**63 + 5, target_span_id=SPAN)], runs)
    billing, other = store.agent_figures(RunQuery()).to_pylist()
    assert (billing["input_tokens"], billing["output_tokens"]) == (largest, 5)
    assert (other["agent_name"], other["input_tokens"]) == ("c", None)
    (edge,) = store.transfer_edges(TransferQuery()).to_pylist()
    assert edge["latency_count"] == 1


def test_rows_of_a_thousand_traces(store: AgentStorage) -> None:
    """As many as a conversation's graph is of."""
    traces = [number.to_bytes(16) for number in range(1_000)]
    transfers = [transfer(number, trace_id, target_span_id=SPAN) for number, trace_id in enumerate(traces)]
    replace(store, transfers, [run(number, "b", trace_id) for number, trace_id in enumerate(traces)], *traces)
    assert store.find_transfers(TransferQuery(trace_ids=traces, limit=2_000)).num_rows == 1_000
    assert store.transfer_edges(TransferQuery(trace_ids=traces))["transfers"].to_pylist() == [1_000]
    assert store.agent_figures(RunQuery(trace_ids=traces))["runs"].to_pylist() == [1_000]
    assert store.find_runs(RunQuery(trace_ids=traces)).num_rows == 1_000
    assert store.find_runs(RunQuery(trace_ids=[])).num_rows == 0


def test_traces_of_very_many_conversations(store: AgentStorage) -> None:
    names = [f"{number:036}" for number in range(5_000)] + ["é" * 1_000]
    rows = [agent_span(1, ONE, names[4_999]), agent_span(2, TWO, names[-1]), agent_span(3, ZERO, "another")]
    store.write(Batch(str(uuid.uuid4()), empty_spans(), empty_logs(), pa.Table.from_pylist(rows, schema=AGENT_SPANS)))
    assert store.traces_of_conversations(names, ALL_TIME) == [ONE, TWO]
    assert store.traces_of_conversations([], ALL_TIME) == []


def test_conversations_that_only_runs_name(store: AgentStorage) -> None:
    """A request's span names the conversation and says nothing of agents; the runs below it belong there."""
    replace(store, [], [run(1, "a", conversation_id="x"), run(2, "b", conversation_id="old")])
    replace(store, [], [run(3, "b", TWO, conversation_id="x", error=True), run(4, "c", TWO, conversation_id="")], TWO)
    replace(store, [], [run(1, "a", conversation_id="x"), run(2, "b", conversation_id="x")])
    (found,) = store.conversations(ConversationQuery(ALL_TIME)).to_pylist()
    assert (found["conversation_id"], found["agents"], found["traces"], found["errors"]) == ("x", ["a", "b"], 2, 1)
    assert (found["start_time_unix_nano"], found["end_time_unix_nano"]) == (T0 + 1000, T0 + 3500)
    assert store.conversations(ConversationQuery(ALL_TIME, agent_name="c")).num_rows == 0
    assert store.traces_of_conversation("x", 10) == [ONE, TWO]
    assert store.traces_of_conversation("old", 10) == []


def test_log_records_of_several_traces(store: AgentStorage) -> None:
    plain = {"flags": 0, "severity_number": 9, "dropped_attributes_count": 0, "attributes": [], "day": DAY}
    texts = ("severity_text", "event_name", "body_type", "attribute_types", "service_name")
    rows = [
        {
            **plain,
            **dict.fromkeys(texts, ""),
            **dict.fromkeys(("event_time_unix_nano", "time_unix_nano", "observed_time_unix_nano"), T0 + number),
            **dict.fromkeys(("span_id", "body", "resource", "scope"), b""),
            "trace_id": trace_id,
        }
        for number, trace_id in enumerate((ONE, TWO, ZERO, b"", ONE))
    ]
    store.write(Batch(str(uuid.uuid4()), empty_spans(), pa.Table.from_pylist(rows, schema=LOGS)))
    found = store.find_logs(LogQuery(ALL_TIME, trace_ids=[ONE, TWO], oldest_first=True)).records
    assert found["trace_id"].to_pylist() == [ONE, TWO, ONE]
    assert store.find_logs(LogQuery(ALL_TIME, trace_ids=[])).records.num_rows == 0
