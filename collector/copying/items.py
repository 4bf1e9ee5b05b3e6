"""The writing half of a copy: spans, log records and their agentic rows, day by day, with a checkpoint each slice."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from collector.copying.ahead import read_ahead
from collector.copying.reading import Piece, pieces
from collector.copying.state import CopyState, DayState
from collector.copying.touched import Touched
from storage.agents import AgentStorage
from storage.api import Batch, empty_logs, empty_spans
from storage.bulk import ItemTable
from storage.errors import StorageUnavailable

_log = structlog.get_logger(__name__)
_WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before a write is tried again

Advance = Callable[[int], None]


class ItemCopier:
    """Copies days of one source into one target. `advance` hears of the source's rows that are done."""

    def __init__(self, source: AgentStorage, target: AgentStorage, state: CopyState, advance: Advance) -> None:
        self._source, self._target, self._state, self._advance = source, target, state, advance
        self._touched = Touched(target, state.progress)

    def copy_day(self, table: ItemTable, day: date) -> None:
        """Copy what the checkpoint says is left of a day.

        Raises StorageUnavailable, StorageRejected; a later call goes on where this one ended.
        """
        state = self._state.day(table, day)
        seen = written = 0
        with contextlib.closing(read_ahead(pieces(self._source, self._target, table, day, state.until))) as read:
            for piece in read:
                if piece.rows is not None:
                    written += self._write(table, day, piece, piece.rows)
                    seen += piece.seen
                    self._advance(piece.seen)
                else:
                    self._save(state, piece.time.end, seen, written)
                    seen = written = 0
        state.done = True
        self._state.save()

    def _save(self, state: DayState, until: int, seen: int, written: int) -> None:
        state.until, state.rows, state.written = until, state.rows + seen, state.written + written
        self._state.save()

    def _write(self, table: ItemTable, day: date, piece: Piece, rows: pa.Table) -> int:
        if not rows.num_rows:
            return 0
        if table in {ItemTable.AGENT_SPANS, ItemTable.AGENT_LOGS}:
            self._touched.note(table, rows, beside=piece.held > 0)
            newest = pc.max(rows["batch_time_unix_nano"]).as_py()
            self._state.progress.newest_batch = max(self._state.progress.newest_batch, newest)
        self._insert(_batch(self._token(table, day, piece, rows), table, rows))
        return int(rows.num_rows)

    def _token(self, table: ItemTable, day: date, piece: Piece, rows: pa.Table) -> str:
        """Return the same token for the same insert only, so that one under way when we were killed counts once."""
        place = f"{table.value}-{day}-{piece.time.start}-{piece.number}-{piece.held}"
        return f"copy-{self._state.progress.run}-{place}-{_digest(rows)}"

    def _insert(self, batch: Batch) -> None:
        for wait in _WAITS:
            try:
                return self._target.write(batch)
            except StorageUnavailable as error:
                _log.warning("copy_write_failed", detail=str(error)[:300], again_in_seconds=wait)
                time.sleep(wait)
        return self._target.write(batch)


def _batch(token: str, table: ItemTable, rows: pa.Table) -> Batch:
    match table:
        case ItemTable.SPANS:
            return Batch(token, rows, empty_logs())
        case ItemTable.LOGS:
            return Batch(token, empty_spans(), rows)
        case ItemTable.AGENT_SPANS:
            return Batch(token, empty_spans(), empty_logs(), agent_spans=rows)
        case ItemTable.AGENT_LOGS:
            return Batch(token, empty_spans(), empty_logs(), agent_logs=rows)


def _digest(rows: pa.Table) -> str:
    content = hashlib.blake2b(digest_size=16)
    for batch in rows.to_batches():
        content.update(batch.serialize())
    return content.hexdigest()
