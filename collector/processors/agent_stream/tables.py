"""What the rules found, as TRANSFERS and AGENT_RUNS tables."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import fields

import pyarrow as pa

from collector.processors.agent_stream.runs import AgentRun
from collector.processors.agent_transfers.model import Transfer
from storage.schemas import AGENT_RUNS, TRANSFERS

Days = Mapping[str, datetime.date]  # of a group key: that of its items, which is never absurd
_TRANSFER_FIELDS = [field.name for field in fields(Transfer)]


def transfers_table(found: Iterable[tuple[str, Transfer]], days: Days) -> pa.Table:
    """Return TRANSFERS rows of (group key, transfer) pairs."""
    rows = [
        {
            **{name: getattr(transfer, name) for name in _TRANSFER_FIELDS},
            "group_key": group_key,
            "day": days[group_key],
        }
        for group_key, transfer in found
    ]
    return pa.Table.from_pylist(rows, schema=TRANSFERS)


def runs_table(runs: Iterable[AgentRun], days: Days) -> pa.Table:
    """Return AGENT_RUNS rows; a run's group key is its trace."""
    names = [name for name in AGENT_RUNS.names if name not in {"group_key", "duration_ns", "day"}]
    rows = [
        {
            **{name: getattr(run, name) for name in names},
            "group_key": run.trace_id.hex(),
            "duration_ns": min(run.end_time_unix_nano - run.start_time_unix_nano, 2**63 - 1),
            "day": days[run.trace_id.hex()],
        }
        for run in runs
    ]
    return pa.Table.from_pylist(rows, schema=AGENT_RUNS)
