"""Transfers and agent runs: replaced as their traces grow, and found again."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from storage.agents import RunQuery, TransferQuery
from storage.postgres.agents import conversation_sql
from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.copying import copy_rows, encode_plain
from storage.postgres.database import Database, quoted
from storage.postgres.decoding import plain_table
from storage.postgres.partitions import Partitions
from storage.postgres.tables import chunk, one_chunk
from storage.postgres.texts import escape_text
from storage.schemas import AGENT_RUNS, TRANSFERS


class AgentRows:
    """The rows half of `storage.agents.AgentStore`."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database, self._partitions = database, partitions

    def replace(self, group_keys: Sequence[str], transfers: pa.Table, runs: pa.Table) -> None:
        """See `AgentStore.replace_agent_rows`: one transaction."""
        if not group_keys:
            return
        tables = {"transfers": one_chunk(transfers), "agent_runs": one_chunk(runs)}
        for name, rows in tables.items():
            self._partitions.ensure((name, day) for day in _days(rows))
        keys = {"keys": [escape_text(key) for key in group_keys]}
        with self._database.transaction() as connection:
            for name, rows in tables.items():
                connection.execute(
                    f"""
                    DELETE FROM {name} WHERE group_key = ANY(%(keys)s::text[])
                        AND md5(group_key) = ANY(ARRAY(SELECT md5(k) FROM unnest(%(keys)s::text[]) AS n(k)))
                    """.encode(),
                    keys,
                )
                copy_rows(connection, name, encode_plain(rows), range(rows.num_rows))

    def find_transfers(self, query: TransferQuery) -> pa.Table:
        """See `AgentStore.find_transfers`."""
        bindings = Bindings()
        where = transfer_conditions(query, bindings)
        if query.after is not None:
            edge = bindings.unsigned(query.after.time_unix_nano), bindings.text(query.after.id)
            where.append(f"(time_unix_nano, id) < ({edge[0]}, {edge[1]})")
        rows = self._database.query(
            f"SELECT {quoted(TRANSFERS.names)} FROM transfers WHERE {' AND '.join(where)}"
            f" ORDER BY time_unix_nano DESC, id DESC LIMIT {int(query.limit)}",
            bindings.parameters,
        )
        return plain_table(rows, TRANSFERS)

    def find_runs(self, query: RunQuery) -> pa.Table:
        """See `AgentStore.find_runs`."""
        bindings = Bindings()
        rows = self._database.query(
            f"SELECT {quoted(AGENT_RUNS.names)} FROM agent_runs WHERE {' AND '.join(run_conditions(query, bindings))}"
            f" ORDER BY start_time_unix_nano, id LIMIT {int(query.limit)}",
            bindings.parameters,
        )
        return plain_table(rows, AGENT_RUNS)


def transfer_conditions(query: TransferQuery, bindings: Bindings) -> list[str]:
    """Return all conditions but `after`."""
    where = [f"confidence >= {bindings.double(query.min_confidence)}"]
    if query.trace_id is not None:
        trace_id = bindings.raw(query.trace_id)
        here = f"(md5(trace_id) = md5({trace_id}) AND trace_id = {trace_id})"
        there = f"(md5(target_trace_id) = md5({trace_id}) AND target_trace_id <> '' AND target_trace_id = {trace_id})"
        where.append(f"({here} OR {there})")
    if query.trace_ids is not None:
        ids = bindings.raws(query.trace_ids)
        where.append(f"md5(trace_id) = ANY(ARRAY(SELECT md5(i) FROM unnest({ids}) AS n(i))) AND trace_id = ANY({ids})")
    if query.time is not None:
        where.append(time_sql("time_unix_nano", query.time, bindings))
    where += _of_conversation(query, bindings)
    return where + _equals(query, ("from_agent", "to_agent", "kind", "signal"), bindings.text)


def run_conditions(query: RunQuery, bindings: Bindings) -> list[str]:
    """Return all conditions."""
    where = ["true"]
    if query.trace_id is not None:
        where.append(f"trace_id = {bindings.raw(query.trace_id)}")
    if query.trace_ids is not None:
        where.append(f"trace_id = ANY({bindings.raws(query.trace_ids)})")
    if query.time is not None:
        where.append(time_sql("start_time_unix_nano", query.time, bindings))
    where += _of_conversation(query, bindings)
    return where + _equals(query, ("agent_name",), bindings.text)


def _of_conversation(query: TransferQuery | RunQuery, bindings: Bindings) -> list[str]:
    """Return what the query says of the conversation; the index knows no rows without one."""
    if not query.conversation_id:
        return _equals(query, ("conversation_id",), bindings.text)
    return [conversation_sql([query.conversation_id], bindings)]


def _equals(query: TransferQuery | RunQuery, columns: Sequence[str], bind: Callable[[str], str]) -> list[str]:
    """Return a condition for each of the columns that the query names a value for."""
    given = ((column, getattr(query, column)) for column in columns)
    return [f"{column} = {bind(value)}" for column, value in given if value is not None]


def _days(rows: pa.Table) -> list[int]:
    found: list[int] = np.unique(chunk(rows, "day").view(pa.int32()).to_numpy()).tolist()
    return found
