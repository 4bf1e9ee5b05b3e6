"""`baton copy` between real engines, both ways: every bit, every copy, once; whatever was there before."""

from dataclasses import replace

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings

from collector.copying.state import CopyState
from storage.api import Batch
from storage.bulk import ItemTable
from storage.queries import Signal, TraceQuery
from storage.schemas import LOGS, SPANS
from tests.component.copying.ends import Ends
from tests.contract.items import ALL_TIME, DAY, batch, canonical, log, numbered_batch, span, trace_id
from tests.contract.test_bulk import everything, read
from tests.otlp_messages import logs_data, traces_data
from tests.stored import table


def test_everything_arrives_bit_for_bit(ends: Ends) -> None:
    ends.source.write(everything())
    ends.source.write(numbered_batch(1, 100))
    outcome = ends.copy()
    assert outcome.missing == []
    assert outcome.written == {kind: read(ends.source, kind).num_rows for kind in ItemTable}
    ends.assert_equal()
    assert ends.target.services() == ends.source.services()
    assert ends.target.operations() == ends.source.operations()
    found = [store.find_traces(TraceQuery(ALL_TIME, limit=1000)) for store in (ends.source, ends.target)]
    assert found[0] == found[1]


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(traces_data, logs_data)
def test_any_message_arrives_bit_for_bit(ends: Ends, traces: Message, logs: Message) -> None:
    for store in (ends.source, ends.target):
        store.purge()
    ends.file.unlink(missing_ok=True)
    ends.source.write(Batch("any", table(Signal.TRACES, traces), table(Signal.LOGS, logs)))
    assert ends.copy(compare=True).differed == 0
    ends.assert_equal()


def test_an_empty_store_is_copied_in_no_time(ends: Ends) -> None:
    outcome = ends.copy()
    assert (outcome.missing, sum(outcome.written.values()), outcome.groups) == ([], 0, 0)


def test_another_run_writes_nothing_with_or_without_its_state(ends: Ends) -> None:
    ends.source.write(everything())
    ends.copy()
    for forget in (False, True):
        if forget:
            ends.file.unlink()
        outcome = ends.copy()
        assert (sum(outcome.written.values()), outcome.missing) == (0, [])
    assert ends.copy(compare=True).differed == 0
    ends.assert_equal()


def test_equal_log_records_are_all_copied(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.copying.slices.INSERT_ROWS", 30)
    same = log("again", event_time_unix_nano=5)
    ends.source.write(batch(logs=[same] * 100))
    ends.copy()
    assert ends.target.count_days(ItemTable.LOGS) == {DAY: 100}
    ends.source.write(batch(logs=[same] * 7))
    assert ends.copy().written[ItemTable.LOGS] == 7
    assert ends.target.count_days(ItemTable.LOGS) == {DAY: 107}


def test_the_target_may_receive_while_it_is_copied_into(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 60))
    ends.target.write(numbered_batch(2, 60))
    ends.copy()
    both = [numbered_batch(number, 60).spans for number in (1, 2)]
    assert canonical(read(ends.target, ItemTable.SPANS)) == canonical(pa.concat_tables(both))


def test_what_arrives_in_the_source_meanwhile_is_fetched_too(ends: Ends) -> None:
    ends.source.write(numbered_batch(1, 30))
    late = iter([numbered_batch(2, 30), numbered_batch(3, 30)])

    def receive() -> None:
        found = next(late, None)
        if found:
            ends.source.write(found)

    assert ends.copy(stop=receive).missing == []
    ends.assert_equal()
    ends.source.write(batch([span(trace_id=trace_id(1))], [log("later still")]))
    assert sum(ends.copy().written.values()) == 2
    ends.assert_equal()


def test_only_a_comparison_sees_a_row_that_was_swapped_for_another(ends: Ends) -> None:
    ends.source.write(batch([span(name="one"), span(name="two")]))
    state = CopyState(ends.file)
    done = replace(state.day(ItemTable.SPANS, DAY), until=2**64, rows=2, done=True)
    state.progress.days["spans"][DAY.isoformat()] = done
    state.save()
    two = read(ends.source, ItemTable.SPANS).slice(1)
    ends.target.write(Batch("others", pa.concat_tables([two, spans_of_another_client()]), LOGS.empty_table()))
    assert sum(ends.copy().written.values()) == 0
    outcome = ends.copy(compare=True)
    assert (outcome.differed, outcome.missing) == (1, [])
    assert {"one", "two"} <= set(read(ends.target, ItemTable.SPANS)["name"].to_pylist())


def spans_of_another_client() -> pa.Table:
    return pa.Table.from_pylist([span(name="other")], schema=SPANS)
