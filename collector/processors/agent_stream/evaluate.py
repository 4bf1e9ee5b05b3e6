"""From a few changed traces to the groups they belong to, their transfers and runs, and back into storage."""

import datetime
from collections.abc import Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.logging import described
from collector.processors.agent_stream.portion import MAX_SPANS, Portion
from collector.processors.agent_stream.tables import Days, runs_table, transfers_table
from collector.processors.agent_stream.worker import Found, RuleWorker, Work
from collector.processors.agent_transfers.grouping import (
    JOIN_BUCKET_NANO,
    MAX_GROUP_SPANS,
    TraceSummary,
    form_groups,
    is_unique_id,
)
from storage.agents import AgentStore
from storage.api import TraceReader
from storage.errors import StorageUnavailable
from storage.packing import packed
from storage.queries import TimeRange
from storage.schemas import AGENT_LOGS

_log = structlog.get_logger(__name__)

MINUTE_NS = 60 * 10**9
_MARGIN_NS = 5 * 10**9  # rules look at neighbouring records of at most a few seconds
_MAX_ROUNDS = 64  # how far joins are followed from trace to trace: one run may be a chain of dozens
_MAX_TRACES = 4096
MAX_RECORDS = 100_000
"""Traceless log records of one minute, and of several at once: some hundreds of megabytes as objects."""

Minute = tuple[str, int]  # service name, minutes since the epoch


@dataclass(frozen=True, slots=True)
class Told:
    """What was logged without a trace in a minute: AGENT_LOGS rows."""

    minute: Minute
    records: pa.Table


class AgentStorage(TraceReader, AgentStore, Protocol):
    """What the evaluation needs of storage."""


class Evaluator:
    """Recomputes groups. Calls come from one thread. Idempotent: what storage holds decides the result alone."""

    def __init__(self, storage: AgentStorage, worker: RuleWorker) -> None:
        self._storage = storage
        self._worker = worker
        self._portion = Portion()

    def warm_up(self) -> None:
        """Get ready for an `evaluate` that is to come."""
        self._worker.warm_up()

    def evaluate(self, traces: Sequence[bytes], minutes: Sequence[Minute]) -> int:
        """Recompute the groups of the traces, and the traceless records of the minutes; return how many these were.

        Raises StorageUnavailable.
        """
        found = self._groups(traces)
        sizes = self._sizes([trace for group in found for trace in group])
        groups = [
            tuple(part) for group in found for part in packed(group, lambda trace: sizes.get(trace, 0), MAX_SPANS)
        ]

        def size_of(group: Sequence[bytes]) -> int:
            return sum(sizes.get(trace, 0) for trace in group)

        at_once = self._portion.spans
        try:
            for part in packed(groups, size_of, at_once):
                self._evaluate(part, (), sizes)
            for some in packed(map(self._records, minutes), lambda told: told.records.num_rows, MAX_RECORDS):
                self._evaluate([], some, sizes)
        except StorageUnavailable:
            self._portion.failed()
            raise
        self._portion.succeeded()
        return len(found) + len(minutes)

    def _records(self, minute: Minute) -> Told:
        """Return the first traceless records of a minute, and of the seconds around it."""
        service, number = minute
        span = TimeRange(max(number * MINUTE_NS - _MARGIN_NS, 0), (number + 1) * MINUTE_NS + _MARGIN_NS)
        return Told(minute, self._storage.traceless_agent_logs(service, span).slice(0, MAX_RECORDS))

    def _evaluate(self, groups: list[tuple[bytes, ...]], told: Sequence[Told], sizes: Mapping[bytes, int]) -> None:
        minutes = [each.minute for each in told]
        work, days = self._work(groups, told, sizes)
        if groups:
            self._portion.read(work.spans)
        found = self._worker.compute(work)
        names = [group[0].hex() for group in groups] + [service for service, _ in minutes]
        for name, fault in zip(names, found.faults, strict=True):
            if fault:
                _log.error("transfer_rules_failed", of=name, at=fault)
        self._write(groups, minutes, found, days)

    def evaluate_in_parts(self, traces: Sequence[bytes], minutes: Sequence[Minute]) -> int:
        """Do what `evaluate` does: all at once, or in parts when one fails; what fails alone is given up.

        It fails when it is more than storage answers, when the rules' process ends over it, or by a mistake here. An
        outage is not its fault and raised.
        """
        try:
            return self.evaluate(traces, minutes)
        except (StorageUnavailable, BrokenProcessPool, OSError):
            raise
        except Exception as error:  # noqa: BLE001 (an edge: one trace must not end the transfers of all others)
            if len(traces) + len(minutes) == 1:
                what = traces[0].hex() if traces else minutes[0][0]
                _log.error("transfers_given_up", of=what, **described(error))
                return 0
        return sum(self.evaluate_in_parts(*part) for part in _halves(traces, minutes))

    def _groups(self, traces: Sequence[bytes]) -> list[tuple[bytes, ...]]:
        """Find what the traces are joined with, directly and over others."""
        summaries: dict[bytes, TraceSummary] = {}
        wanted = set(traces)
        for _ in range(_MAX_ROUNDS):
            missing = sorted(wanted - summaries.keys())[: _MAX_TRACES - len(summaries)]
            if not missing:
                break
            joined = [_summary(row) for row in self._storage.trace_joins(missing).to_pylist()]
            summaries.update((summary.trace_id, summary) for summary in joined)
            summaries.update((trace, _nothing_known(trace)) for trace in missing if trace not in summaries)
            wanted |= self._neighbours(joined)
        return form_groups(summaries.values())

    def _neighbours(self, joined: Sequence[TraceSummary]) -> set[bytes]:
        found: set[bytes] = {target for summary in joined for target in summary.links}
        if joined:
            found.update(self._storage.traces_linking_to([summary.trace_id for summary in joined]))
        by_hour: dict[int, set[str]] = {}
        for summary in joined:
            if summary.conversations:
                by_hour.setdefault(summary.start_time_unix_nano // JOIN_BUCKET_NANO, set()).update(
                    summary.conversations
                )
        for hour, conversations in by_hour.items():
            span = TimeRange(hour * JOIN_BUCKET_NANO, (hour + 1) * JOIN_BUCKET_NANO)
            found.update(self._storage.traces_of_conversations(sorted(conversations), span))
        return found

    def _work(
        self, groups: list[tuple[bytes, ...]], told: Sequence[Told], sizes: Mapping[bytes, int]
    ) -> tuple[Work, Days]:
        members = [trace for group in groups for trace in group]
        spans = self._storage.get_traces([trace for trace in members if trace in sizes])
        tables = [self._storage.agent_logs(members)] if members else []
        traceless: list[tuple[int, ...]] = []
        start = tables[0].num_rows if tables else 0
        for each in told:
            traceless.append(tuple(range(start, start + each.records.num_rows)))
            start += each.records.num_rows
            tables.append(each.records)
        logs = pa.concat_tables(tables, promote_options="none") if tables else AGENT_LOGS.empty_table()
        days = {**_days(logs), **_days(spans)}
        days.update(
            (_minute_key(each.minute), _minute_day(logs, rows))
            for each, rows in zip(told, traceless, strict=True)
            if rows
        )
        return Work(spans, logs, tuple(groups), tuple(traceless)), days

    def _sizes(self, traces: Sequence[bytes]) -> dict[bytes, int]:
        """Return how many spans the traces have; of those with more than the rules look at, nothing."""
        counts = self._storage.get_traces(traces, columns=["trace_id"])["trace_id"].value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in counts if entry["counts"] <= MAX_GROUP_SPANS}

    def _write(self, groups: list[tuple[bytes, ...]], minutes: Sequence[Minute], found: Found, days: Days) -> None:
        of_traces = found.transfers[: len(groups)]
        transfers = [(transfer.trace_id.hex(), transfer) for group in of_traces for transfer in group]
        for (service, minute), group in zip(minutes, found.transfers[len(groups) :], strict=True):
            inside = range(minute * MINUTE_NS, (minute + 1) * MINUTE_NS)
            key = _minute_key((service, minute))
            transfers += [(key, transfer) for transfer in group if transfer.time_unix_nano in inside]
        runs = [run for group in found.runs for run in group]
        keys = [trace.hex() for group in groups for trace in group] + [_minute_key(minute) for minute in minutes]
        self._storage.replace_agent_rows(keys, transfers_table(transfers, days), runs_table(runs, days))


def _halves(
    traces: Sequence[bytes], minutes: Sequence[Minute]
) -> tuple[tuple[Sequence[bytes], Sequence[Minute]], tuple[Sequence[bytes], Sequence[Minute]]]:
    """Return both kinds apart, or halves of the one that there is."""
    if traces and minutes:
        return (traces, ()), ((), minutes)
    trace, minute = len(traces) // 2, len(minutes) // 2
    return (traces[:trace], minutes[:minute]), (traces[trace:], minutes[minute:])


def _summary(row: Mapping[str, Any]) -> TraceSummary:
    return TraceSummary(
        trace_id=row["trace_id"],
        start_time_unix_nano=row["start_time_unix_nano"],
        end_time_unix_nano=row["end_time_unix_nano"],
        links=frozenset(link for link in row["linked_trace_ids"] if link and link != row["trace_id"]),
        conversations=frozenset(name for name in row["conversation_ids"] if is_unique_id(name)),
    )


def _nothing_known(trace_id: bytes) -> TraceSummary:
    """A trace that is agentic for its log records only has nothing to join by."""
    return TraceSummary(trace_id, 0, 0, frozenset(), frozenset())


def _days(table: pa.Table) -> Days:
    """Return the first day of each trace's items."""
    if table.num_rows == 0:
        return {}
    first = (
        pa.table({"trace": table["trace_id"].cast(pa.binary()), "day": table["day"]})
        .group_by("trace")
        .aggregate([("day", "min")])
    )
    return {
        trace.hex(): day for trace, day in zip(first["trace"].to_pylist(), first["day_min"].to_pylist(), strict=True)
    }


def _minute_key(minute: Minute) -> str:
    return f"logs:{minute[0]}:{minute[1]}"


def _minute_day(logs: pa.Table, rows: Sequence[int]) -> datetime.date:
    day: datetime.date = pc.min(logs["day"].take(pa.array(rows))).as_py()
    return day
