"""What the transfer processor reads of agentic items: joins between traces, and log records that may matter."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from storage.agents import TRACE_JOINS, AgenticItems
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, id_list, keyed_time_sql, one_of_ids, time_sql
from storage.clickhouse.columns import AGENT_LOG_COLUMNS
from storage.clickhouse.contexts import Contexts
from storage.clickhouse.engine import Engine
from storage.clickhouse.latest import latest
from storage.packing import packed
from storage.queries import TimeRange
from storage.schemas import AGENT_LOGS, AGENT_SPANS

# Not toString, which cuts zero bytes at the end of an id.
_TRACE_ID = "substring(s.trace_id, 1, 16) AS trace_id"
# The end of a span, kept within 64 bits whatever the sender wrote; bitNot: 2**64 - 1 less this, unsigned.
END = "s.start_time_unix_nano + least(toUInt64(greatest(s.duration_ns, 0)), bitNot(s.start_time_unix_nano))"

_NAMES_AT_ONCE = 100_000  # bytes; in hex they are twice as long, and the text of a query has 256 KiB at most
_NAME_EXTRA = 6  # what surrounds a name, which is not doubled


class AgentItems:
    """The reading half of `storage.agents.AgentStore` that the processor uses."""

    def __init__(self, engine: Engine, contexts: Contexts) -> None:
        self._engine, self._contexts = engine, contexts

    def since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """See `AgentStore.agentic_since`."""
        bindings = Bindings()
        recent = f"batch_time_unix_nano >= {bindings.unsigned(batch_time_unix_nano)}"
        last = f"ORDER BY batch LIMIT {int(limit)} WITH TIES"
        traces = self._engine.query(
            f"""
            SELECT trace_id, min(batch_time_unix_nano) AS batch FROM (
                SELECT {_TRACE_ID}, batch_time_unix_nano FROM agent_spans AS s WHERE {recent}
                UNION ALL SELECT trace_id, batch_time_unix_nano FROM agent_logs WHERE {recent} AND trace_id != '')
            GROUP BY trace_id {last}
            """,
            bindings.parameters,
        )
        records = self._engine.query(
            f"""
            SELECT service_name, event_time_unix_nano, batch_time_unix_nano AS batch FROM agent_logs
            WHERE {recent} AND trace_id = '' {last}
            """,
            bindings.parameters,
        )
        full = [rows["batch"][len(rows) - 1].as_py() for rows in (traces, records) if len(rows) >= limit]
        edge = min(full, default=None)
        return AgenticItems(
            [(trace, batch) for trace, batch in _tuples(traces) if edge is None or batch <= edge],
            [(name.decode(), time, batch) for name, time, batch in _tuples(records) if edge is None or batch <= edge],
            None if edge is None else edge + 1,
        )

    def joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.trace_joins`."""
        if not trace_ids:
            return TRACE_JOINS.empty_table()
        rows = self._engine.query(
            f"""
            SELECT trace_id, min(s.start_time_unix_nano) AS start_time_unix_nano,
                max({END}) AS end_time_unix_nano,
                groupUniqArrayIf(100)(conversation_id, conversation_id != '') AS conversation_ids,
                groupUniqArrayArray(1000)(s.linked_trace_ids) AS linked_trace_ids
            FROM agent_spans AS s PREWHERE {one_of_ids("trace_id", trace_ids)}
            GROUP BY trace_id ORDER BY trace_id
            """
        )
        return conform(rows, TRACE_JOINS)

    def of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """See `AgentStore.traces_of_conversations`."""
        found: set[bytes] = set()
        encoded = [name.encode() for name in conversation_ids]
        for names in packed(encoded, lambda name: len(name) + _NAME_EXTRA, _NAMES_AT_ONCE):
            bindings = Bindings()
            named = one_of_ids("conversation_id", names)
            where = f"{named} AND {time_sql('start_time_unix_nano', time, bindings)}"
            found.update(self._ids(f"SELECT DISTINCT {_TRACE_ID} FROM agent_spans AS s WHERE {where}", bindings))
        return sorted(found)

    def linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """See `AgentStore.traces_linking_to`."""
        if not trace_ids:
            return []
        wanted = id_list(trace_ids)
        return self._ids(
            f"""
            SELECT DISTINCT {_TRACE_ID} FROM agent_spans AS s
            WHERE hasAny(linked_trace_ids, [{wanted}]) ORDER BY trace_id
            """,
            Bindings(),
        )

    def of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        bindings = Bindings()
        named = f"conversation_id = {bindings.text(conversation_id)}"
        columns = ("trace_id", "start_time_unix_nano", "conversation_id")
        runs = latest(self._engine, "agent_runs", columns, [named], bindings)
        of_runs = f"UNION ALL SELECT {_TRACE_ID}, start_time_unix_nano FROM {runs} AS s WHERE {named}" if runs else ""
        return self._ids(
            f"""
            SELECT trace_id FROM (
                SELECT {_TRACE_ID}, start_time_unix_nano FROM agent_spans AS s WHERE {named} {of_runs})
            GROUP BY trace_id ORDER BY min(start_time_unix_nano), trace_id LIMIT {int(limit)}
            """,
            bindings,
        )

    def spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """See `AgentStore.agent_spans`."""
        if not trace_ids:
            return AGENT_SPANS.empty_table()
        rows = self._engine.query(
            f"""
            SELECT {", ".join(AGENT_SPANS.names)} FROM agent_spans PREWHERE {one_of_ids("trace_id", trace_ids)}
            ORDER BY start_time_unix_nano, trace_id, span_id LIMIT 1 BY trace_id, span_id LIMIT {int(limit)}
            """
        )
        return conform(rows, AGENT_SPANS)

    def logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.agent_logs`."""
        if not trace_ids:
            return AGENT_LOGS.empty_table()
        return self._logs(one_of_ids("trace_id", trace_ids), Bindings())

    def traceless_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """See `AgentStore.traceless_agent_logs`."""
        bindings = Bindings()
        when = keyed_time_sql("event_time_unix_nano", time, bindings, 60 * 10**9)
        service = bindings.text(service_name)
        return self._logs(f"service_name = {service} AND {when} AND trace_id = ''", bindings)

    def _logs(self, where: str, bindings: Bindings) -> pa.Table:
        columns = ", ".join(AGENT_LOG_COLUMNS)
        sql = f"SELECT {columns} FROM agent_logs WHERE {where} ORDER BY event_time_unix_nano"
        return self._contexts.resolve(self._engine.query(sql, bindings.parameters), AGENT_LOGS)

    def _ids(self, sql: str, bindings: Bindings) -> list[bytes]:
        ids: list[bytes] = self._engine.query(sql, bindings.parameters)["trace_id"].to_pylist()
        return ids


def _tuples(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in rows.columns), strict=True)
