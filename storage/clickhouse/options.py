"""ClickHouse settings that every engine sends, whoever runs the queries."""

from storage.clickhouse.engine import Settings

# One block for each partition, whatever the batch's size: the deduplication token only holds for equal blocks.
INSERT: Settings = {
    "async_insert": 0,
    "max_insert_threads": 1,
    "max_threads": 1,
    "max_block_size": 1 << 24,
    "max_insert_block_size": 1 << 24,
    "min_insert_block_size_rows": 1 << 24,
    "min_insert_block_size_bytes": 1 << 40,
    "max_partitions_per_insert_block": 0,
    "max_execution_time": 0,
    "max_memory_usage": 0,  # what is acknowledged must go in: only the engine's own ceiling holds
}


def deduplication(token: str) -> Settings:
    """Return the settings for an insert under a token; an empty one means that equal rows are rows of their own."""
    return {"insert_deduplication_token": token} if token else {"insert_deduplicate": 0}


def limits(threads: int, memory_bytes: int, seconds: float) -> dict[str, str | int | float]:
    """Return the settings of every query that does not set its own."""
    return {
        "max_threads": threads,
        "max_memory_usage": memory_bytes,
        "max_bytes_before_external_group_by": memory_bytes // 2,
        "max_bytes_before_external_sort": memory_bytes // 2,
        "max_execution_time": seconds,
        "output_format_arrow_string_as_string": 0,
        # Looking at indexes before the read, not beside it: a quarter less time for a trace by id (measured).
        "use_skip_indexes_on_data_read": 0,
        # There are no projections; looking for them costs every query half a millisecond (measured).
        "optimize_use_projections": 0,
        "optimize_use_implicit_projections": 0,
    }
