"""Many threads read while one writes."""

import threading
from concurrent.futures import ThreadPoolExecutor

from storage.agents import AgentStorage
from storage.queries import LogQuery, TraceQuery
from tests.contract.items import ALL_TIME, NOW, batch, log, span


def test_readers_see_whole_batches_while_a_writer_writes(store: AgentStorage) -> None:
    """Each batch is one trace of 20 spans: a reader sees all of it or nothing, and what was written before."""
    traces = [span()["trace_id"] for _ in range(15)]
    done = threading.Event()

    def read(_: int) -> int:
        rounds = 0
        while not done.is_set() or rounds == 0:
            found = store.find_traces(TraceQuery(ALL_TIME, limit=100))
            assert len({match.trace_id for match in found}) == len(found)
            counted = store.get_traces([match.trace_id for match in found])["trace_id"].value_counts().to_pylist()
            assert {entry["counts"] for entry in counted} <= {20}
            records = store.find_logs(LogQuery(ALL_TIME, limit=1_000)).records.num_rows
            assert records >= len(found) - 1  # the log records of the newest batch may be on their way
            assert len(store.find_traces(TraceQuery(ALL_TIME, limit=100))) >= len(found)
            rounds += 1
        return rounds

    with ThreadPoolExecutor(12) as pool:
        readers = [pool.submit(read, number) for number in range(12)]
        try:
            for number, trace in enumerate(traces):
                rows = [span(trace_id=trace, start_time_unix_nano=NOW + number) for _ in range(20)]
                store.write(batch(rows, [log(f"record {number}")]))
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)
    assert len(store.find_traces(TraceQuery(ALL_TIME, limit=100))) == 15


def test_ping_and_name(store: AgentStorage) -> None:
    store.ping()
    assert store.engine
