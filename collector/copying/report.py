"""What `baton copy` says in the end, and when it would rather not begin. Pure."""

from collections.abc import Iterator

from collector.copying.copy import Outcome
from collector.copying.days import Counts
from storage.bulk import ItemTable

_NAMES = {
    ItemTable.SPANS: "spans",
    ItemTable.LOGS: "log records",
    ItemTable.AGENT_SPANS: "agentic spans",
    ItemTable.AGENT_LOGS: "agentic log records",
}


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Yield a line a table and day, the speed, and the verdict."""
    yield "day         table          source       target"
    for table, days in outcome.source.items():
        for day, rows in sorted(days.items()):
            there = outcome.target.get(table, {}).get(day, 0)
            more = f"   (+{there - rows:,} of its own)" if there > rows else ""
            yield f"{day}  {table.value:<11}  {rows:>9,}  {there:>11,}{more}"
    rows = sum(outcome.written.values())
    written = ", ".join(f"{count:,} {_NAMES[table]}" for table, count in outcome.written.items() if count)
    rate = f" in {outcome.seconds:,.1f} s, {rows / max(outcome.seconds, 1e-3):,.0f} rows/s" if rows else ""
    yield f"Written: {written or 'nothing'}{rate}."
    yield f"Transfers: {outcome.groups:,} traces copied, {outcome.evaluated:,} looked at again."
    if outcome.differed:
        yield f"Compared row by row: {outcome.differed:,} rows were missing and have been copied."
    if not outcome.missing:
        yield "Everything in the source is in the target."
        return
    yield "NOT everything is in the target; run the same command again:"
    yield from (f"  {difference}" for difference in outcome.missing)


def expired_message(old: Counts) -> str:
    """Return which days the target would drop, and what can be done."""
    lines = ["the target's retention would drop some days as soon as Baton runs on it:"]
    for table in (ItemTable.SPANS, ItemTable.LOGS):
        days = old.get(table, {})
        if days:
            rows = sum(days.values())
            lines.append(f"  {rows:,} {_NAMES[table]} of {len(days)} days, {min(days)} to {max(days)}")
    lines.append(
        "Raise exporters.storage.retention in the target's configuration, or add --leave-out-expired to copy the rest."
    )
    return "\n".join(lines)
