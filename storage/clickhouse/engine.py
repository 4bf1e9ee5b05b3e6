"""The small port inside this folder: all in which an embedded engine and a ClickHouse server differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from storage.clickhouse.dialect import Dialect

Parameters = Mapping[str, str | int | float]
Settings = Mapping[str, str | int]


class Engine(Protocol):
    """A connection to ClickHouse. Thread-safe. Raises only the port's errors (`storage.errors`)."""

    @property
    def name(self) -> str:
        """Name and version, for people."""
        ...

    @property
    def exclusive(self) -> bool:
        """True when no other process writes to these tables, so that what was read stays true until this one writes."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How statements name what they create and change."""
        ...

    def query(self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None) -> pa.Table:
        """Run a SELECT; strings come back as `binary`, low-cardinality columns as plain values.

        `parameters` fill `{name:Type}`. Texts are bound as hex and decoded in SQL with `unhex` (see `bindings`).
        Ends with `QueryCancelled` when its caller has gone away (`storage.cancelling`).
        """
        ...

    def stream(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Iterator[pa.Table]:
        """Run a SELECT as `query` does, a block of rows at a time. Closing the iterator early ends the query."""
        ...

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement without a result."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: pa.Table, token: str = "") -> bool:
        """Insert rows durably (fsynced) as one block for each partition; return False if `token` was seen before.

        A repeated `token` with the same rows stores nothing twice, partition by partition. Empty: no deduplication.
        """
        ...

    def close(self) -> None:
        """Wait for running queries and release the engine. Idempotent."""
        ...
