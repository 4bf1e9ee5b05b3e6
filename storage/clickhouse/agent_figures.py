"""Figures over agent runs, transfers and conversations."""

import pyarrow as pa

from storage.agents import (
    AGENT_FIGURES,
    CONVERSATIONS,
    TRANSFER_EDGES,
    ConversationQuery,
    RunQuery,
    TransferQuery,
)
from storage.clickhouse.agent_rows import run_conditions, transfer_conditions
from storage.clickhouse.agents import END
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.latest import latest
from storage.schemas import AGENT_RUNS, TRANSFERS

_OF_BOTH = "conversation_id, start_time_unix_nano, duration_ns, trace_id, span_id, agent_name, user_id"
"""What agentic spans and runs both have."""


def _sums(*columns: str) -> str:
    """Return the sums of int64 columns, kept within it; NULL where no row has a value."""
    largest = 2**63 - 1
    capped = "if(sum(toFloat64(r.{0})) >= {1}, {1}, sum(r.{0})) AS {0}"
    return ", ".join(capped.format(column, largest) for column in columns)


class AgentFigures:
    """The figures half of `storage.agents.AgentStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def figures(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        bindings = Bindings()
        narrow, where = run_conditions(query, bindings)
        source = latest(self._engine, "agent_runs", AGENT_RUNS.names, narrow, bindings)
        if source is None:
            return AGENT_FIGURES.empty_table()
        rows = self._engine.query(
            f"""
            SELECT agent_name, count() AS runs, countIf(error) AS errors,
                toInt64(quantileTDigest(0.5)(duration_ns)) AS duration_p50_ns,
                toInt64(quantileTDigest(0.9)(duration_ns)) AS duration_p90_ns,
                toInt64(quantileTDigest(0.99)(duration_ns)) AS duration_p99_ns,
                sum(r.model_calls) AS model_calls, sum(r.tool_calls) AS tool_calls,
                {_sums("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")},
                sum(r.cost_usd) AS cost_usd,
                arraySort(groupUniqArrayIf(100)(model, model != '')) AS models,
                arraySort(groupUniqArray(100)(service_name)) AS services,
                min(r.start_time_unix_nano) AS first_seen_unix_nano,
                max(r.start_time_unix_nano) AS last_seen_unix_nano
            FROM (SELECT * FROM {source} WHERE agent_name != '' AND {" AND ".join(where)}) AS r
            GROUP BY agent_name ORDER BY runs DESC, agent_name LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return conform(rows, AGENT_FIGURES)

    def edges(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.transfer_edges`."""
        bindings = Bindings()
        narrow, where = transfer_conditions(query, bindings)
        source = latest(self._engine, "transfers", TRANSFERS.names, narrow, bindings)
        if source is None:
            return TRANSFER_EDGES.empty_table()
        transfers = f"(SELECT * FROM {source} WHERE {' AND '.join(where)})"
        rows = self._engine.query(
            f"""
            SELECT from_agent, to_agent, kind, count() AS transfers, countIf(t.completed) AS completed,
                min(confidence) AS confidence_min, avg(confidence) AS confidence_mean,
                if(latency_count > 0, toInt64(avgIf(toInt64(run_start) - toInt64(time_unix_nano), run_start > 0)), NULL)
                    AS latency_mean_ns,
                countIf(run_start > 0) AS latency_count,
                arraySort(groupUniqArray(100)(rule)) AS rules, arraySort(groupUniqArray(100)(signal)) AS signals,
                min(time_unix_nano) AS first_seen_unix_nano, max(time_unix_nano) AS last_seen_unix_nano
            FROM {transfers} AS t
            LEFT ANY JOIN (
                SELECT substring(trace_id, 1, 16) AS run_trace, substring(span_id, 1, 8) AS run_span,
                    start_time_unix_nano AS run_start
                FROM agent_runs WHERE is_deleted = 0 AND run_span IN (
                    SELECT target_span_id FROM {transfers} WHERE target_span_id != '')
            ) AS r ON if(t.target_trace_id = '', t.trace_id, t.target_trace_id) = r.run_trace
                AND t.target_span_id = r.run_span
            GROUP BY from_agent, to_agent, kind
            ORDER BY transfers DESC, from_agent, to_agent, kind LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return conform(rows, TRANSFER_EDGES)

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
        where = f"conversation_id != '' AND {time_sql('start_time_unix_nano', query.time, bindings)}"
        rows = self._engine.query(
            f"""
            SELECT conversation_id, min(s.start_time_unix_nano) AS start_time_unix_nano,
                max({END}) AS end_time_unix_nano,
                uniqExact(trace_id) AS traces, uniqExact(trace_id, span_id) AS spans,
                arraySort(groupUniqArrayIf(1000)(agent_name, agent_name != '')) AS agents,
                arraySort(groupUniqArrayIf(1000)(user_id, user_id != '')) AS users,
                uniqExactIf((trace_id, span_id), status_code = 2) AS errors
            FROM (
                SELECT {_OF_BOTH}, status_code FROM agent_spans WHERE {where}
                UNION ALL SELECT {_OF_BOTH}, if(error, 2, 0) AS status_code FROM agent_runs FINAL WHERE {where}) AS s
            GROUP BY conversation_id HAVING {" AND ".join(having)}
            ORDER BY end_time_unix_nano DESC, conversation_id DESC LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return conform(rows, CONVERSATIONS)
