"""What PostgreSQL alone does with the same rows: `COPY` of ready bytes into the same tables and indexes."""

from collections.abc import Callable
from pathlib import Path

import psycopg
from pydantic import SecretStr

from storage.api import Batch
from storage.postgres.copying import copy_statement
from storage.postgres.database import Database
from storage.postgres.encoding import HEADER, TRAILER, copy_stream
from storage.postgres.local import LocalServer
from storage.postgres.migrations import migrate
from storage.postgres.partitions import Partitions
from storage.postgres.settings import PostgresSettings
from storage.postgres.tables import item_columns, prepare
from storage.postgres.timescale import Hypertables


class BareCopy:
    """A server of its own in a folder, with Baton's tables. For one thread."""

    def __init__(self, folder: Path) -> None:
        """Start the server. Raises StorageUnavailable."""
        self._server = LocalServer(folder / "pg")
        self._server.start()
        settings = PostgresSettings(dsn=SecretStr(self._server.dsn))
        self._database = Database(settings)
        migrate(self._database)
        self._partitions = Partitions(self._database, Hypertables(self._database))
        self._connection = psycopg.connect(self._server.dsn, options=f"-c search_path={settings.db_schema}")

    @property
    def processes(self) -> list[int]:
        """The server's process; those of its connections are its children."""
        pid = self._server.pid
        return [pid] if pid else []

    def ready(self, batch: Batch) -> Callable[[], None]:
        """Make the days and the bytes of a batch's spans and log records; return what copies them and commits."""
        copies = []
        for table, rows in (("spans", batch.spans), ("logs", batch.logs)):
            if rows.num_rows:
                prepared = prepare(rows)
                self._partitions.ensure((table, int(day)) for day in set(prepared.days.tolist()))
                columns = item_columns(prepared)
                body = b"".join(copy_stream(list(columns.values()), rows.num_rows))
                copies.append((copy_statement(table, list(columns)), HEADER + body + TRAILER))
        return lambda: self._copy(copies)

    def _copy(self, copies: list[tuple[bytes, bytes]]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for statement, data in copies:
                with cursor.copy(statement) as copy:
                    copy.write(data)

    def close(self) -> None:
        """Stop the server."""
        self._connection.close()
        self._database.close()
        self._server.stop()
