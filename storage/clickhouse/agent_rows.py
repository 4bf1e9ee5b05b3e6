"""Transfers and agent runs: replaced as their traces grow, and asked for by the query API."""

import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.agents import AGENT_FIGURES, CONVERSATIONS, ConversationQuery, RunQuery, TransferQuery
from storage.api import TimeRange
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, id_list, time_sql
from storage.clickhouse.engine import Engine
from storage.schemas import AGENT_RUNS, TRANSFERS


class AgentRows:
    """The writing and asking half of `storage.agents.AgentStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`. One caller at a time."""
        if group_keys:
            self._replace("agent_runs", AGENT_RUNS, group_keys, runs)
            self._replace("transfers", TRANSFERS, group_keys, transfers)

    def _replace(self, table: str, schema: pa.Schema, group_keys: Sequence[str], rows: pa.Table) -> None:
        """Insert what changed, and a deletion for what is gone; nothing when all is as before."""
        before = self._rows(
            table, schema, f"group_key IN ({id_list([key.encode() for key in group_keys])})", Bindings()
        )
        old = {_identity(row): row for row in before.to_pylist()}
        new = {_identity(row): row for row in rows.to_pylist()}
        changed = [row for identity, row in new.items() if old.get(identity) != row]
        gone = [row for identity, row in old.items() if identity not in new]
        if not changed and not gone:
            return
        version = time.time_ns()
        content = pa.Table.from_pylist([*changed, *gone], schema=schema)
        count = content.num_rows
        content = content.append_column("version", pa.array([version] * count, pa.uint64()))
        deleted = pa.array([0] * len(changed) + [1] * len(gone), pa.uint8())
        content = content.append_column("is_deleted", deleted)
        self._engine.insert(table, content.column_names, content)

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.find_transfers`."""
        bindings = Bindings()
        where = [f"confidence >= {bindings.double(query.min_confidence)}"]
        if query.time is not None:
            where.append(time_sql("time_unix_nano", query.time, bindings))
        if query.trace_id is not None:
            trace_id = bindings.text(query.trace_id)
            where.append(f"(trace_id = {trace_id} OR target_trace_id = {trace_id})")
        if query.trace_ids is not None:
            where.append(f"trace_id IN ({id_list(list(query.trace_ids))})" if query.trace_ids else "0")
        where += _equals(query, ("conversation_id", "from_agent", "to_agent", "kind", "signal"), bindings)
        if query.after is not None:
            edge = bindings.unsigned(query.after.time_unix_nano), bindings.text(query.after.id)
            where.append(f"(time_unix_nano, id) < ({edge[0]}, {edge[1]})")
        order = f"ORDER BY time_unix_nano DESC, id DESC LIMIT {int(query.limit)}"
        return self._rows("transfers", TRANSFERS, " AND ".join(where), bindings, order)

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        bindings = Bindings()
        where = ["1"]
        if query.time is not None:
            where.append(time_sql("start_time_unix_nano", query.time, bindings))
        if query.trace_id is not None:
            where.append(f"trace_id = {bindings.text(query.trace_id)}")
        where += _equals(query, ("conversation_id", "agent_name"), bindings)
        order = f"ORDER BY start_time_unix_nano, id LIMIT {int(query.limit)}"
        return self._rows("agent_runs", AGENT_RUNS, " AND ".join(where), bindings, order)

    def figures(self, time: TimeRange) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        bindings = Bindings()
        rows = self._engine.query(
            f"""
            SELECT agent_name, count() AS runs, countIf(error) AS errors,
                toInt64(quantileTDigest(0.5)(duration_ns)) AS duration_p50_ns,
                toInt64(quantileTDigest(0.9)(duration_ns)) AS duration_p90_ns,
                toInt64(quantileTDigest(0.99)(duration_ns)) AS duration_p99_ns,
                sum(r.model_calls) AS model_calls, sum(r.tool_calls) AS tool_calls,
                sum(r.input_tokens) AS input_tokens, sum(r.output_tokens) AS output_tokens,
                sum(r.cached_input_tokens) AS cached_input_tokens, sum(r.reasoning_tokens) AS reasoning_tokens,
                sum(r.cost_usd) AS cost_usd,
                arraySort(groupUniqArrayIf(100)(model, model != '')) AS models,
                arraySort(groupUniqArray(100)(service_name)) AS services,
                min(r.start_time_unix_nano) AS first_seen_unix_nano,
                max(r.start_time_unix_nano) AS last_seen_unix_nano
            FROM agent_runs AS r FINAL
            WHERE agent_name != '' AND {time_sql("start_time_unix_nano", time, bindings)}
            GROUP BY agent_name ORDER BY runs DESC, agent_name
            """,
            bindings.parameters,
        )
        return conform(rows, AGENT_FIGURES)

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """See `AgentStore.conversations`."""
        bindings = Bindings()
        having = ["1"]
        if query.agent_name is not None:
            having.append(f"has(agents, {bindings.text(query.agent_name)})")
        if query.user_id is not None:
            having.append(f"has(users, {bindings.text(query.user_id)})")
        if query.after is not None:
            edge = bindings.unsigned(query.after.end_time_unix_nano), bindings.text(query.after.conversation_id)
            having.append(f"(end_time_unix_nano, conversation_id) < ({edge[0]}, {edge[1]})")
        rows = self._engine.query(
            f"""
            SELECT conversation_id, min(s.start_time_unix_nano) AS start_time_unix_nano,
                max(s.start_time_unix_nano + greatest(s.duration_ns, 0)) AS end_time_unix_nano,
                uniqExact(trace_id) AS traces, uniqExact(trace_id, span_id) AS spans,
                arraySort(groupUniqArrayIf(1000)(agent_name, agent_name != '')) AS agents,
                arraySort(groupUniqArrayIf(1000)(user_id, user_id != '')) AS users,
                uniqExactIf((trace_id, span_id), status_code = 2) AS errors
            FROM agent_spans AS s
            WHERE conversation_id != '' AND {time_sql("s.start_time_unix_nano", query.time, bindings)}
            GROUP BY conversation_id HAVING {" AND ".join(having)}
            ORDER BY end_time_unix_nano DESC, conversation_id DESC LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return conform(rows, CONVERSATIONS)

    def traces_of(self, conversation_id: str, limit: int) -> list[bytes]:
        """See `AgentStore.traces_of_conversation`."""
        bindings = Bindings()
        rows = self._engine.query(
            f"""
            SELECT toString(s.trace_id) AS trace_id FROM agent_spans AS s
            WHERE conversation_id = {bindings.text(conversation_id)}
            GROUP BY trace_id ORDER BY min(start_time_unix_nano), trace_id LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        ids: list[bytes] = rows["trace_id"].to_pylist()
        return ids

    def _rows(self, table: str, schema: pa.Schema, where: str, bindings: Bindings, order: str = "") -> pa.Table:
        columns = ", ".join(schema.names)
        sql = f"SELECT {columns} FROM {table} FINAL WHERE {where} {order}"
        rows = self._engine.query(sql, bindings.parameters)
        return conform(rows, schema) if rows.num_rows else schema.empty_table()


def _identity(row: dict[str, Any]) -> tuple[str, str]:
    return row["group_key"], row["id"]


def _equals(query: TransferQuery | RunQuery, columns: Sequence[str], bindings: Bindings) -> list[str]:
    """Return a condition for each of the columns that the query names a value for."""
    given = ((column, getattr(query, column)) for column in columns)
    return [f"{column} = {bindings.text(value)}" for column, value in given if value is not None]
