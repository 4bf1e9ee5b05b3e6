"""What the transfer processor reads of agentic items: joins between traces, and log records that may matter."""

from collections.abc import Sequence

import pyarrow as pa

from storage.agents import TRACE_JOINS, AgenticItems
from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database, quoted
from storage.postgres.decoding import Decoder, plain_table, stored_columns
from storage.postgres.suggestions import text
from storage.postgres.unsigned import from_bigint
from storage.queries import TimeRange
from storage.schemas import AGENT_LOGS, AGENT_SPANS

_MAX_CONVERSATIONS, _MAX_LINKED = 100, 1_000
# The end of a span, kept within 64 bits whatever the sender wrote.
END = (
    "s.start_time_unix_nano"
    " + least(greatest(s.duration_ns, 0), 9223372036854775807 - greatest(s.start_time_unix_nano, 0))"
)


class AgentItems:
    """The reading half of `storage.agents.AgentStore` that the processor uses."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._database, self._decoder = database, decoder

    def since(self, batch_time_unix_nano: int, limit: int) -> AgenticItems:
        """See `AgentStore.agentic_since`."""
        bindings = Bindings()
        recent = f"batch_time_unix_nano >= {bindings.unsigned(batch_time_unix_nano)}"
        last = f"ORDER BY batch FETCH FIRST {int(limit)} ROWS WITH TIES"
        traces = self._database.query(
            f"""
            SELECT trace_id, min(batch_time_unix_nano) AS batch FROM (
                SELECT trace_id, batch_time_unix_nano FROM agent_spans WHERE {recent}
                UNION ALL SELECT trace_id, batch_time_unix_nano FROM agent_logs WHERE {recent} AND trace_id <> ''
            ) AS found GROUP BY trace_id {last}
            """,
            bindings.parameters,
        )
        records = self._database.query(
            f"""
            SELECT service_name, event_time_unix_nano, batch_time_unix_nano AS batch FROM agent_logs
            WHERE {recent} AND trace_id = '' {last}
            """,
            bindings.parameters,
        )
        full = [from_bigint(rows[-1][-1]) for rows in (traces, records) if len(rows) >= limit]
        edge = min(full, default=None)
        found = [(trace, from_bigint(batch)) for trace, batch in traces]
        loose = [(text(name), from_bigint(time), from_bigint(batch)) for name, time, batch in records]
        return AgenticItems(
            [item for item in found if edge is None or item[1] <= edge],
            [item for item in loose if edge is None or item[2] <= edge],
            None if edge is None else edge + 1,
        )

    def joins(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.trace_joins`."""
        rows = self._database.query(
            f"""
            SELECT trace_id, min(start_time_unix_nano), max({END}),
                (array_agg(DISTINCT conversation_id) FILTER (WHERE conversation_id <> ''))[:{_MAX_CONVERSATIONS}],
                (SELECT (array_agg(DISTINCT linked))[:{_MAX_LINKED}] FROM agent_spans AS l
                    CROSS JOIN LATERAL unnest(l.linked_trace_ids) AS linked WHERE l.trace_id = s.trace_id)
            FROM agent_spans AS s WHERE trace_id = ANY(%(ids)s::bytea[]) GROUP BY trace_id ORDER BY trace_id
            """,
            {"ids": list(trace_ids)},
        )
        return plain_table(rows, TRACE_JOINS)

    def of_conversations(self, conversation_ids: Sequence[str], time: TimeRange) -> list[bytes]:
        """See `AgentStore.traces_of_conversations`."""
        bindings = Bindings()
        where = f"{conversation_sql(conversation_ids, bindings)} AND {time_sql('start_time_unix_nano', time, bindings)}"
        return self._ids(f"SELECT DISTINCT trace_id FROM agent_spans WHERE {where} ORDER BY trace_id", bindings)

    def of_conversation(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        bindings = Bindings()
        where = conversation_sql([conversation_id], bindings)
        return self._ids(
            f"""
            SELECT trace_id FROM (
                SELECT trace_id, start_time_unix_nano FROM agent_spans WHERE {where}
                UNION ALL SELECT trace_id, start_time_unix_nano FROM agent_runs WHERE {where}) AS s
            GROUP BY trace_id ORDER BY min(start_time_unix_nano), trace_id LIMIT {int(limit)}
            """,
            bindings,
        )

    def linking_to(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """See `AgentStore.traces_linking_to`."""
        bindings = Bindings()
        where = f"linked_trace_ids <> '{{}}' AND linked_trace_ids && {bindings.raws(trace_ids)}"
        return self._ids(f"SELECT DISTINCT trace_id FROM agent_spans WHERE {where} ORDER BY trace_id", bindings)

    def logs(self, trace_ids: Sequence[bytes]) -> pa.Table:
        """See `AgentStore.agent_logs`."""
        bindings = Bindings()
        return self._logs(f"trace_id = ANY({bindings.raws(trace_ids)}) AND trace_id <> ''", bindings)

    def traceless_logs(self, service_name: str, time: TimeRange) -> pa.Table:
        """See `AgentStore.traceless_agent_logs`."""
        bindings = Bindings()
        when = time_sql("event_time_unix_nano", time, bindings)
        return self._logs(f"service_name = {bindings.text(service_name)} AND {when} AND trace_id = ''", bindings)

    def spans(self, trace_ids: Sequence[bytes], limit: int) -> pa.Table:
        """See `AgentStore.agent_spans`. Of spans that share an id the first is given."""
        rows = self._database.query(
            f"""
            SELECT {quoted(AGENT_SPANS.names)} FROM (
                SELECT DISTINCT ON (trace_id, span_id) * FROM agent_spans WHERE trace_id = ANY(%(ids)s::bytea[])
                ORDER BY trace_id, span_id, start_time_unix_nano
            ) AS s ORDER BY start_time_unix_nano, trace_id, span_id LIMIT {int(limit)}
            """,
            {"ids": list(trace_ids)},
        )
        return plain_table(rows, AGENT_SPANS)

    def _logs(self, where: str, bindings: Bindings) -> pa.Table:
        columns = quoted(stored_columns(AGENT_LOGS.names))
        rows = self._database.query(
            f"SELECT {columns} FROM agent_logs WHERE {where} ORDER BY event_time_unix_nano, tableoid, ctid",
            bindings.parameters,
        )
        return self._decoder.table(rows, AGENT_LOGS)

    def _ids(self, sql: str, bindings: Bindings) -> list[bytes]:
        return [row[0] for row in self._database.query(sql, bindings.parameters)]


def conversation_sql(conversation_ids: Sequence[str], bindings: Bindings) -> str:
    """Return SQL for "of one of these conversations" that the index understands."""
    names = bindings.texts(conversation_ids)
    hashed = f"md5(conversation_id) = ANY(ARRAY(SELECT md5(c) FROM unnest({names}) AS n(c)))"
    return f"({hashed} AND conversation_id = ANY({names}) AND conversation_id <> '')"
