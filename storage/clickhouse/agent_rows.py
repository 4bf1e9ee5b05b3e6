"""Transfers and agent runs: replaced as their traces grow, and found again."""

import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.agents import RunQuery, TransferQuery
from storage.clickhouse.arrow import conform
from storage.clickhouse.bindings import Bindings, time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.latest import latest, latest_of_groups
from storage.schemas import AGENT_RUNS, TRANSFERS

# Of so many times the rows that are wanted, most are the latest version; after a trace grew often, more are needed.
_SHARES = (2, 16)
_KEYS_AT_ONCE = 2_000  # 3,500 are more than a query's text may have


class AgentRows:
    """The rows half of `storage.agents.AgentStore`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replace(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`. One caller at a time."""
        if group_keys:
            self._replace("agent_runs", AGENT_RUNS, group_keys, runs)
            self._replace("transfers", TRANSFERS, group_keys, transfers)

    def _replace(self, table: str, schema: pa.Schema, group_keys: Sequence[str], rows: pa.Table) -> None:
        """Insert what changed, and a deletion for what is gone; nothing when all is as before."""
        before: list[dict[str, Any]] = []
        for at in range(0, len(group_keys), _KEYS_AT_ONCE):
            source = latest_of_groups(table, schema.names, group_keys[at : at + _KEYS_AT_ONCE])
            before += self._select(source, schema, "1", Bindings()).to_pylist()
        old = {_identity(row): row for row in before}
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
        narrow, where = transfer_conditions(query, bindings)
        if query.after is not None:
            edge = bindings.unsigned(query.after.time_unix_nano), bindings.text(query.after.id)
            where.append(f"(time_unix_nano, id) < ({edge[0]}, {edge[1]})")
        if query.trace_id is None and query.trace_ids is None and query.conversation_id is None:
            return self._newest_transfers(query.limit, where, bindings)
        source = latest(self._engine, "transfers", TRANSFERS.names, narrow, bindings)
        return self._select(source, TRANSFERS, " AND ".join(where), bindings, _newest_first(query.limit))

    def _newest_transfers(self, limit: int, where: list[str], bindings: Bindings) -> pa.Table:
        """Return the newest rows without merging the whole table: those since a time that enough versions follow.

        At 1 M transfers 100 rows take 45 ms instead of 275.
        """
        for share in _SHARES:
            edge = self._engine.query(
                f"SELECT time_unix_nano AS edge FROM transfers WHERE {' AND '.join(where)}"
                f" ORDER BY time_unix_nano DESC LIMIT 1 OFFSET {share * limit}",
                bindings.parameters,
            )["edge"].to_pylist()
            since = [*where, *(f"time_unix_nano >= {int(time)}" for time in edge)]
            source = latest(self._engine, "transfers", TRANSFERS.names, since, bindings)
            rows = self._select(source, TRANSFERS, " AND ".join(since), bindings, _newest_first(limit))
            if rows.num_rows == limit or not edge:
                return rows
        return self._select("transfers FINAL", TRANSFERS, " AND ".join(where), bindings, _newest_first(limit))

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        bindings = Bindings()
        narrow, where = run_conditions(query, bindings)
        source = latest(self._engine, "agent_runs", AGENT_RUNS.names, narrow, bindings)
        order = f"ORDER BY start_time_unix_nano, id LIMIT {int(query.limit)}"
        return self._select(source, AGENT_RUNS, " AND ".join(where), bindings, order)

    def _select(
        self, source: str | None, schema: pa.Schema, where: str, bindings: Bindings, order: str = ""
    ) -> pa.Table:
        if source is None:
            return schema.empty_table()
        sql = f"SELECT {', '.join(schema.names)} FROM {source} WHERE {where} {order}"
        rows = self._engine.query(sql, bindings.parameters)
        return conform(rows, schema) if rows.num_rows else schema.empty_table()


def _newest_first(limit: int) -> str:
    return f"ORDER BY time_unix_nano DESC, id DESC LIMIT {int(limit)}"


def transfer_conditions(query: TransferQuery, bindings: Bindings) -> tuple[list[str], list[str]]:
    """Return the conditions that few rows may meet (see `latest`), and all conditions but `after`."""
    narrow = []
    if query.trace_id is not None:
        trace_id = bindings.text(query.trace_id)
        narrow.append(f"(trace_id = {trace_id} OR target_trace_id = {trace_id})")
    if query.trace_ids is not None:
        narrow.append(_group_keys(query.trace_ids))
    narrow += _equals(query, ("conversation_id", "from_agent", "to_agent", "kind", "signal"), bindings)
    if query.time is not None:
        narrow.append(time_sql("time_unix_nano", query.time, bindings))
    return narrow, [*narrow, f"confidence >= {bindings.double(query.min_confidence)}"]


def run_conditions(query: RunQuery, bindings: Bindings) -> tuple[list[str], list[str]]:
    """Return the conditions that few rows may meet (see `latest`), and all conditions."""
    narrow = []
    if query.trace_id is not None:
        narrow.append(_group_keys([query.trace_id]))
    if query.trace_ids is not None:
        narrow.append(_group_keys(query.trace_ids))
    narrow += _equals(query, ("conversation_id", "agent_name"), bindings)
    if query.time is not None:
        narrow.append(time_sql("start_time_unix_nano", query.time, bindings))
    return narrow, [*narrow, "1"]


def _group_keys(trace_ids: Sequence[bytes]) -> str:
    """Return the condition for rows of traces, over the tables' sort key.

    Their keys are hex, so these are literals as they are: a query may repeat the condition four times, of 1,000 traces,
    and its text is 256 KiB at most.
    """
    if not trace_ids:
        return "0"
    keys = ", ".join(f"'{trace_id.hex()}'" for trace_id in trace_ids)
    return f"group_key = {keys}" if len(trace_ids) == 1 else f"group_key IN ({keys})"


def _identity(row: dict[str, Any]) -> tuple[str, str]:
    return row["group_key"], row["id"]


def _equals(query: TransferQuery | RunQuery, columns: Sequence[str], bindings: Bindings) -> list[str]:
    """Return a condition for each of the columns that the query names a value for."""
    given = ((column, getattr(query, column)) for column in columns)
    return [f"{column} = {bindings.text(value)}" for column, value in given if value is not None]
