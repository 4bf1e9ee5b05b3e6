"""Results as tables for people, and as JSON for whoever compares runs."""

from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest

from rich.table import Table

from collector.bench.figures import steadiness
from collector.bench.ingest import SERIES_WINDOW_SECONDS, IngestResult
from collector.bench.query import QueryResult, ReadResult
from collector.bench.yardstick import InsertRate

_MIB = 1 << 20


def best(rates: Sequence[InsertRate]) -> InsertRate:
    """Return the insert size that did most rows per second."""
    return max(rates, key=lambda rate: rate.rows_per_second)


def around(rates: Sequence[InsertRate]) -> list[float]:
    """Return the rows per second of each run's yardstick: the mean of the one before and the one after it."""
    return [(before.rows_per_second + after.rows_per_second) / 2 for before, after in pairwise(rates)]


def ingest_table(results: Sequence[IngestResult], yardsticks: Sequence[float], title: str) -> Table:
    """Return one column for each number of clients, so that 80 characters hold four of them.

    `yardsticks` are rows per second, one for each result or none at all.
    """
    table = _table(title, "clients", *(str(result.clients) for result in results))
    ratios = [
        f"{result.queryable_per_second / yardstick:.2f}" if yardstick else "–"
        for result, yardstick in zip_longest(results, yardsticks)
    ]
    rows: dict[str, Iterable[str]] = {
        "acknowledged/s": (f"{result.acknowledged_per_second:,.0f}" for result in results),
        "queryable/s": (f"{result.queryable_per_second:,.0f}" for result in results),
        "… of yardstick": ratios,
        "… per server CPU s": (f"{result.items_per_cpu_second:,.0f}" for result in results),
        "ack ms, p50": (f"{result.ack_ms.p50:.1f}" for result in results),
        "ack ms, p99 / max": (f"{result.ack_ms.p99:.0f} / {result.ack_ms.max:.0f}" for result in results),
        "peak RSS, MB": (f"{result.peak_rss_bytes / _MIB:,.0f}" for result in results),
        "bytes each": (f"{result.bytes_per_item:.1f}" for result in results),
        "queryable after, s, max": (f"{result.fresh_loaded_seconds.max:.1f}" for result in results),
        "… idle": (f"{result.fresh_idle_seconds.max:.2f}" for result in results),
        "not acknowledged": map(_verdicts, results),
        "generator CPU": (f"{result.generator_cpu_share:.0%}" for result in results),
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def yardstick_table(rates: Sequence[InsertRate]) -> Table:
    """Return one row for each insert size."""
    table = _table("Yardstick: the engine alone, ready Arrow tables, fsync on", "rows an insert", "rows/s", "per CPU s")
    for rate in rates:
        table.add_row(f"{rate.rows_per_insert:,}", f"{rate.rows_per_second:,.0f}", f"{rate.rows_per_cpu_second:,.0f}")
    return table


def sustained_lines(result: IngestResult) -> list[str]:
    """Return the throughput of each ten seconds, and how the last and the worst minute compare with the first."""
    last, worst = steadiness(result.series, int(60 / SERIES_WINDOW_SECONDS))
    series = " ".join(f"{rate / 1000:.0f}" for rate in result.series)
    return [
        f"acknowledged, thousands per second in each {SERIES_WINDOW_SECONDS:.0f} s: {series}",
        f"last minute / first minute: {last:.2f}   worst minute / first minute: {worst:.2f}",
    ]


def query_tables(result: QueryResult) -> list[Table]:
    """Return the idle round, and the round beside ingest when there was one."""
    size = result.bytes_on_disk / _MIB
    title = f"Reads at {result.spans:,} items, {size:,.0f} MB on disk, peak RSS {result.peak_rss_bytes / _MIB:,.0f} MB"
    tables = [_reads(f"{title}, idle", result.idle)]
    if result.beside_ingest:
        tables.append(_reads(f"The same beside {result.ingest_per_second:,.0f} spans/s", result.beside_ingest))
    return tables


def _reads(title: str, reads: Sequence[ReadResult]) -> Table:
    table = _table(title, "read", "p50 ms", "p99 ms", "max ms", "bytes", "failed")
    for read in reads:
        ms = read.ms
        table.add_row(
            read.name, f"{ms.p50:.1f}", f"{ms.p99:.1f}", f"{ms.max:.1f}", f"{read.mean_bytes:,}", str(read.failures)
        )
    return table


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _verdicts(result: IngestResult) -> str:
    verdicts = dict(result.verdicts)
    if result.missing_traces:
        verdicts["acknowledged but missing"] = result.missing_traces
    return ", ".join(f"{count} {name}" for name, count in verdicts.items()) or "0"
