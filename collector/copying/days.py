"""What there is to copy, what the target would drop at once, and what both have in the end: rows a day. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from storage.api import RetentionPolicy
from storage.bulk import BulkReader, ItemTable

Counts = Mapping[ItemTable, Mapping[date, int]]


def counts(store: BulkReader) -> dict[ItemTable, dict[date, int]]:
    """Count every table's rows a day."""
    return {table: store.count_days(table) for table in ItemTable}


def total(found: Counts) -> int:
    """Return the rows of all tables and days."""
    return sum(sum(days.values()) for days in found.values())


def expired(found: Counts, policy: RetentionPolicy, now_unix_nano: int) -> dict[ItemTable, dict[date, int]]:
    """Return the days that a store with this policy would drop as soon as it runs."""
    today = datetime.fromtimestamp(now_unix_nano // 10**9, UTC).date()
    kept = {
        ItemTable.SPANS: policy.spans_days,
        ItemTable.AGENT_SPANS: policy.spans_days,
        ItemTable.LOGS: policy.logs_days,
        ItemTable.AGENT_LOGS: policy.logs_days,
    }
    old = {}
    for table, days in kept.items():
        if days is not None:
            edge = today - timedelta(days=days)
            old[table] = {day: rows for day, rows in found.get(table, {}).items() if day < edge}
    return {table: days for table, days in old.items() if days}


def without(found: Counts, left_out: Counts) -> dict[ItemTable, dict[date, int]]:
    """Return the days that are not left out."""
    return {
        table: {day: rows for day, rows in days.items() if day not in left_out.get(table, {})}
        for table, days in found.items()
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """A day of which the target does not have what it should."""

    table: ItemTable
    day: date
    source: int
    target: int
    copied: int

    def __str__(self) -> str:
        return (
            f"{self.table.value} of {self.day}: {self.source:,} rows in the source, {self.copied:,} of them copied, "
            f"{self.target:,} in the target"
        )


def differences(source: Counts, target: Counts, copied: Counts) -> Iterator[Difference]:
    """Yield the days of which more rows are in the source than were copied or are in the target."""
    for table, days in source.items():
        for day, rows in sorted(days.items()):
            there, done = target.get(table, {}).get(day, 0), copied.get(table, {}).get(day, 0)
            if there < rows or done < rows:
                yield Difference(table, day, rows, there, done)
