"""What a target lacks of a source's rows, as multisets: a row that is there once counts for one copy."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from collector.copying.hashing import RowHasher


class Held:
    """The rows that a target holds of a slice, by their hashes: eight bytes and a count for each."""

    def __init__(self, hasher: RowHasher, tables: Iterable[pa.Table]) -> None:
        self._hasher = hasher
        found = [hasher.hashes(table) for table in tables]
        self._hashes, self._left = np.unique(np.concatenate([np.zeros(0, np.uint64), *found]), return_counts=True)
        self.rows = int(self._left.sum())

    def missing(self, rows: pa.Table) -> pa.Table:
        """Return those of a source's rows that are not held; each held row stands for one of them, once."""
        if not len(self._hashes):
            return rows
        hashes = self._hasher.hashes(rows)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        places = np.minimum(np.searchsorted(self._hashes, ordered), len(self._hashes) - 1)
        left = np.where(self._hashes[places] == ordered, self._left[places], 0)
        is_first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        firsts = np.flatnonzero(is_first)
        rank = np.arange(len(ordered)) - firsts[np.cumsum(is_first) - 1]
        there = rank < left
        np.subtract.at(self._left, places[there], 1)
        wanted = np.ones(len(ordered), np.bool_)
        wanted[order[there]] = False
        return rows.filter(pa.array(wanted))
