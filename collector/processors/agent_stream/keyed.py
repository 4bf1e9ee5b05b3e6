"""The attributes of many spans, addressed by key: a column for each key instead of a map for each span."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.otlp.texts import as_text, bytes_of
from storage.attributes import DOUBLE, INT, STRING

_TELLING = np.frombuffer((STRING + INT + DOUBLE).encode(), np.uint8)  # other values name nothing


@dataclass(frozen=True, slots=True)
class Keyed:
    """The attributes of spans, addressed by key."""

    rows: int
    offsets: NDArray[np.int32]
    codes: NDArray[np.int32]  # of each entry's key
    code_of: dict[str, int]
    tells: NDArray[np.bool_]  # of each entry: whether its value is a text or a number
    values: pa.BinaryArray

    @staticmethod
    def of(spans: pa.Table) -> "Keyed":
        """Index the attributes of a SPANS table that has one chunk."""
        tags = spans["attributes"].chunk(0)
        encoded = tags.keys.dictionary_encode()
        code_of = {key: code for code, key in enumerate(encoded.dictionary.to_pylist())}
        tells = np.isin(_letters(spans["attribute_types"].chunk(0)), _TELLING)
        return Keyed(spans.num_rows, tags.offsets.to_numpy(), encoded.indices.to_numpy(), code_of, tells, tags.items)

    def has(self, *keys: str) -> NDArray[np.bool_]:
        """Return for every span whether it has one of the keys, whatever the value."""
        found = np.zeros(self.rows, np.bool_)
        for key in keys:
            if key in self.code_of:
                found[self._rows_of(np.flatnonzero(self.codes == self.code_of[key]))] = True
        return found

    def text(self, key: str) -> pa.StringArray | None:
        """Return the texts and numbers of a key, null where a span has none; None when no span has the key.

        Of an attribute that a span has twice, the last one wins.
        """
        code = self.code_of.get(key)
        if code is None:
            return None
        entries = np.flatnonzero(self.codes == code)
        at = np.full(self.rows, -1, np.int64)
        at[self._rows_of(entries)] = np.where(self.tells[entries], entries, -1)
        return as_text(self.values.take(pa.array(at, mask=at < 0)))

    def _rows_of(self, entries: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.searchsorted(self.offsets, entries, side="right") - 1


def mapped(column: pa.DictionaryArray, mapping: Callable[[str], str]) -> pa.StringArray:
    """Map the distinct texts; an empty result is null."""
    found = pa.array([mapping(value) or None for value in column.dictionary.to_pylist()], pa.string())
    return found.take(column.indices)


def _letters(types: pa.DictionaryArray) -> NDArray[np.uint8]:
    """Return the type letters of all entries, one after the other."""
    offsets, letters = bytes_of(types.cast(pa.string()))
    return letters[offsets[0] : offsets[-1]]
