"""A number for each row's content, so that rows of two engines can be compared without a loop over rows.

The numbers are drawn anew for each hasher: nobody can send rows that collide. They mean nothing outside this process.
"""

import hashlib
import secrets

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_NULL = np.uint64(0x9E37_79B9_7F4A_7C15)
_FIRST, _SECOND = np.uint64(0xBF58_476D_1CE4_E5B9), np.uint64(0x94D0_49BB_1331_11EB)


class RowHasher:
    """Two rows have the same hash when they are equal in every bit; others have different ones but for 1 in 2^64."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._dice = np.random.default_rng(secrets.randbits(128))
        self._salts: dict[str, np.uint64] = {}
        self._weights = np.zeros(0, np.uint64)

    def hashes(self, rows: pa.Table) -> Hashes:
        """Return a hash of each row. Tables must have the same columns in the same types to be comparable."""
        rows = rows.unify_dictionaries().combine_chunks()
        found = np.zeros(rows.num_rows, np.uint64)
        if rows.num_rows:
            for name in rows.column_names:
                found += self._salted(self._of(rows.column(name).chunk(0), name), name)
        return found

    def _of(self, array: pa.Array, path: str) -> Hashes:
        kind = array.type
        if pa.types.is_dictionary(kind):
            codes = array.indices.to_numpy(zero_copy_only=False)
            of_codes: Hashes = self._of(array.dictionary, path)[codes]
            return of_codes
        if pa.types.is_map(kind):
            keys, items = self._of(array.keys, f"{path}.key"), self._of(array.items, f"{path}.item")
            entries = self._salted(keys, f"{path}.key") + self._salted(items, f"{path}.item")
            return self._sequences(array, entries, path)
        if pa.types.is_list(kind):
            return self._sequences(array, self._of(array.values, f"{path}.element"), path)
        if pa.types.is_struct(kind):
            names = [field.name for field in kind]
            parts = zip(names, array.flatten(), strict=True)
            found = np.zeros(len(array), np.uint64)
            for name, part in parts:
                found += self._salted(self._of(part, f"{path}.{name}"), f"{path}.{name}")
            return found
        if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
            return self._texts(array)
        return self._numbers(array)

    def _texts(self, array: pa.Array) -> Hashes:
        distinct = array.dictionary_encode(null_encoding="encode")
        key = self._key
        digests = [
            hashlib.blake2b(value, digest_size=8, key=key).digest() if value is not None else b"\0" * 8
            for value in distinct.dictionary.cast(pa.binary()).to_pylist()
        ]
        found: Hashes = np.frombuffer(b"".join(digests), np.uint64)[distinct.indices.to_numpy(zero_copy_only=False)]
        return found

    @staticmethod
    def _numbers(array: pa.Array) -> Hashes:
        kind = array.type
        if pa.types.is_date32(kind):
            array = array.view(pa.int32())
        elif pa.types.is_boolean(kind):
            array = array.cast(pa.uint8())
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        if values.dtype == np.float64:
            values = values.view(np.uint64)
        found: Hashes = _mixed(values.astype(np.uint64))
        if array.null_count:
            found[array.is_null().to_numpy(zero_copy_only=False)] = _NULL
        return found

    def _sequences(self, array: pa.Array, elements: Hashes, path: str) -> Hashes:
        """Combine the elements of each list: their places count, and how many there are."""
        offsets = array.offsets.to_numpy().astype(np.int64)
        counts = np.diff(offsets)
        first, last = int(offsets[0]), int(offsets[-1])
        places = np.arange(first, last) - np.repeat(offsets[:-1], counts)
        terms = _mixed(elements[first:last]) * self._weight(int(counts.max(initial=0)))[places]
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
        found: Hashes = running[offsets[1:] - first] - running[offsets[:-1] - first]
        found += counts.astype(np.uint64) * self._salt(f"{path}.count")
        return found

    def _weight(self, count: int) -> Hashes:
        if len(self._weights) < count:
            more = self._dice.integers(0, 2**64, count - len(self._weights), np.uint64) | np.uint64(1)
            self._weights = np.concatenate([self._weights, more])
        return self._weights

    def _salted(self, hashes: Hashes, path: str) -> Hashes:
        return _mixed(hashes ^ self._salt(path))

    def _salt(self, path: str) -> np.uint64:
        if path not in self._salts:
            self._salts[path] = self._dice.integers(0, 2**64, dtype=np.uint64)
        return self._salts[path]


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all others (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    mixed: Hashes = (values ^ (values >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed
