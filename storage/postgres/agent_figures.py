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
from storage.postgres.agent_rows import run_conditions, transfer_conditions
from storage.postgres.agents import END
from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database
from storage.postgres.decoding import plain_table

_OF_BOTH = "conversation_id, start_time_unix_nano, duration_ns, trace_id, span_id, agent_name, user_id"
"""What agentic spans and runs both have."""
_LARGEST = 2**63 - 1
_MEAN_LATENCY = f"""CASE WHEN count(run_start) > 0 THEN
    greatest(least(trunc(avg(run_start::numeric - time_unix_nano::numeric)), {_LARGEST}), -{_LARGEST}) END::bigint"""


class AgentFigures:
    """The figures half of `storage.agents.AgentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def figures(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.agent_figures`."""
        bindings = Bindings()
        where = " AND ".join(run_conditions(query, bindings))
        rows = self._database.query(
            f"""
            SELECT agent_name, count(*) AS runs, count(*) FILTER (WHERE error), {_quantiles()},
                sum({_unsigned("model_calls")})::bigint, sum({_unsigned("tool_calls")})::bigint,
                {_sums("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")}, sum(cost_usd),
                (array_agg(DISTINCT model ORDER BY model) FILTER (WHERE model <> ''))[:100],
                (array_agg(DISTINCT service_name ORDER BY service_name))[:100],
                min(start_time_unix_nano), max(start_time_unix_nano)
            FROM agent_runs WHERE agent_name <> '' AND {where}
            GROUP BY agent_name ORDER BY runs DESC, agent_name LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return plain_table(rows, AGENT_FIGURES)

    def edges(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.transfer_edges`."""
        bindings = Bindings()
        where = " AND ".join(transfer_conditions(query, bindings))
        rows = self._database.query(
            f"""
            SELECT from_agent, to_agent, kind, count(*) AS transfers, count(*) FILTER (WHERE completed),
                min(confidence), avg(confidence),
                {_MEAN_LATENCY}, count(run_start),
                (array_agg(DISTINCT rule ORDER BY rule))[:100], (array_agg(DISTINCT signal ORDER BY signal))[:100],
                min(time_unix_nano), max(time_unix_nano)
            FROM (SELECT * FROM transfers WHERE {where}) AS t
            LEFT JOIN LATERAL (
                SELECT min(start_time_unix_nano) AS run_start FROM agent_runs AS r
                WHERE t.target_span_id <> '' AND r.span_id = t.target_span_id
                    AND r.trace_id = CASE WHEN t.target_trace_id = '' THEN t.trace_id ELSE t.target_trace_id END
            ) AS r ON true
            GROUP BY from_agent, to_agent, kind
            ORDER BY transfers DESC, from_agent, to_agent, kind LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return plain_table(rows, TRANSFER_EDGES)

    def conversations(self, query: ConversationQuery) -> pa.Table:
        """See `AgentStore.conversations`."""
        bindings = Bindings()
        having = ["true"]
        if query.agent_name is not None:
            having.append(f"bool_or(agent_name = {bindings.text(query.agent_name)})")
        if query.user_id is not None:
            having.append(f"bool_or(user_id = {bindings.text(query.user_id)})")
        if query.after is not None:
            edge = bindings.unsigned(query.after.end_time_unix_nano), bindings.text(query.after.conversation_id)
            having.append(f"(max({END}), conversation_id) < ({edge[0]}, {edge[1]})")
        where = f"conversation_id <> '' AND {time_sql('start_time_unix_nano', query.time, bindings)}"
        rows = self._database.query(
            f"""
            SELECT conversation_id, min(start_time_unix_nano), max({END}) AS ended,
                count(DISTINCT trace_id), count(DISTINCT (trace_id, span_id)),
                (array_agg(DISTINCT agent_name ORDER BY agent_name) FILTER (WHERE agent_name <> ''))[:1000],
                (array_agg(DISTINCT user_id ORDER BY user_id) FILTER (WHERE user_id <> ''))[:1000],
                count(DISTINCT (trace_id, span_id)) FILTER (WHERE status_code = 2)
            FROM (
                SELECT {_OF_BOTH}, status_code FROM agent_spans WHERE {where}
                UNION ALL SELECT {_OF_BOTH}, CASE WHEN error THEN 2 ELSE 0 END FROM agent_runs WHERE {where}) AS s
            GROUP BY conversation_id HAVING {" AND ".join(having)}
            ORDER BY ended DESC, conversation_id DESC LIMIT {int(query.limit)}
            """,
            bindings.parameters,
        )
        return plain_table(rows, CONVERSATIONS)


def _quantiles() -> str:
    return ", ".join(f"percentile_disc({share}) WITHIN GROUP (ORDER BY duration_ns)" for share in (0.5, 0.9, 0.99))


def _sums(*columns: str) -> str:
    """Return the sums of int64 columns, kept within it; NULL where no row has a value."""
    capped = "CASE WHEN sum({0}) > {1} THEN {1} ELSE sum({0}) END::bigint"
    return ", ".join(capped.format(column, _LARGEST) for column in columns)


def _unsigned(column: str) -> str:
    """Return a uint32 column's value, see `storage.postgres.unsigned`."""
    return f"({column}::bigint & 4294967295)"
