"""Which partitions to remove: whole days, never single items."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol, TypeVar

from storage.api import RetentionPolicy

_SPAN_TABLES = ("spans", "agent_spans", "transfers", "agent_runs")
_LOG_TABLES = ("logs", "agent_logs")
ITEM_TABLES = ("spans", "logs", "agent_spans", "agent_logs", "transfers", "agent_runs")


class Partition(Protocol):
    """One day of one table, on disk. A table that is none of ITEM_TABLES holds what items refer to."""

    @property
    def table(self) -> str:
        """Its name in the port's words."""
        ...

    @property
    def day(self) -> date:
        """The day of its rows."""
        ...

    @property
    def bytes(self) -> int:
        """Its size on disk."""
        ...


Found = TypeVar("Found", bound=Partition)


def expired(partitions: Sequence[Found], policy: RetentionPolicy, now_unix_nano: int) -> list[Found]:
    """Return what to remove, in this order. A day is over age when all of it is.

    Items over age; the oldest days over the cap, with all of their tables; what no item of its day refers to any more.
    """
    today = datetime.fromtimestamp(now_unix_nano // 10**9, UTC).date()
    over_age = [part for part in partitions if _over_age(part, policy, today)]
    kept = [part for part in partitions if part not in over_age]
    over_cap = _over_cap(kept, policy.max_bytes)
    kept = [part for part in kept if part not in over_cap]
    used = {part.day for part in kept if part.table in ITEM_TABLES}
    return over_age + over_cap + [part for part in kept if part.table not in ITEM_TABLES and part.day not in used]


def _over_age(partition: Partition, policy: RetentionPolicy, today: date) -> bool:
    for tables, days in ((_SPAN_TABLES, policy.spans_days), (_LOG_TABLES, policy.logs_days)):
        if partition.table in tables and days is not None:
            return partition.day < today - timedelta(days=days)
    return False


def _over_cap(kept: Sequence[Found], cap: int | None) -> list[Found]:
    """Return the oldest days' partitions whose removal brings the rest under the cap."""
    if cap is None:
        return []
    total = sum(part.bytes for part in kept)
    dropped: list[Found] = []
    for day in sorted({part.day for part in kept}):
        if total <= cap:
            break
        of_day = [part for part in kept if part.day == day]
        dropped += of_day
        total -= sum(part.bytes for part in of_day)
    return dropped
