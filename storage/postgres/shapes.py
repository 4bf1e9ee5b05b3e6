"""Attribute shapes: the lists of keys and type letters that items have in common, each stored once a day.

An instrumentation writes the same keys in the same order over and over, so rows keep an id of that list and the
values alone: half the bytes, and a condition on a key becomes one on few ids and places.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storage.postgres.nesting import Entries
from storage.postgres.texts import escape_text


@dataclass(frozen=True, slots=True)
class Shape:
    """A list of keys (escaped) and the type letter of each."""

    id: bytes
    keys: tuple[str, ...]
    types: str


@dataclass(frozen=True, slots=True)
class Shaped:
    """The distinct shapes of a table's rows, and which one each row has."""

    shapes: list[Shape]
    codes: NDArray[np.int64]

    @property
    def ids(self) -> NDArray[np.void]:
        """The 16-byte id of each row's shape."""
        known = np.frombuffer(b"".join(shape.id for shape in self.shapes), "V16")
        return known[self.codes]


def shaped(entries: Entries, types: pa.DictionaryArray) -> Shaped:
    """Find the distinct (keys, types) of rows.

    Rows are told apart by 64-bit sums over random numbers drawn anew for each call, so that nobody can make two lists
    collide; the ids that are stored are 128 bits of BLAKE2b of the content.
    """
    rows = len(entries.offsets) - 1
    if not rows:
        return Shaped([], np.zeros(0, np.int64))
    keys = entries.keys.dictionary_encode()
    codes = keys.indices.to_numpy().astype(np.int64)
    letters = types.indices.to_numpy().astype(np.int64)
    sums = _sums(codes, len(keys.dictionary), entries.offsets, letters, len(types.dictionary))
    _, first, inverse = np.unique(sums, return_index=True, return_inverse=True)
    names = [escape_text(name) for name in keys.dictionary.to_pylist()]
    texts: list[str] = types.dictionary.to_pylist()
    shapes = []
    for row in first.tolist():
        used = codes[entries.offsets[row] : entries.offsets[row + 1]].tolist()
        shapes.append(_shape(tuple(names[code] for code in used), texts[int(letters[row])]))
    return Shaped(shapes, inverse.reshape(-1).astype(np.int64))


def _sums(
    codes: NDArray[np.int64],
    keys: int,
    offsets: NDArray[np.int64],
    letters: NDArray[np.int64],
    letter_lists: int,
) -> NDArray[np.uint64]:
    dice = np.random.default_rng()

    def draw(count: int) -> NDArray[np.uint64]:
        return dice.integers(0, 2**64, count, np.uint64)

    counts = np.diff(offsets)
    places = np.arange(len(codes)) - np.repeat(offsets[:-1], counts)
    weights = draw(int(counts.max(initial=0)) + 1) | np.uint64(1)
    terms = draw(max(keys, 1))[codes] * weights[places]
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    found: NDArray[np.uint64] = running[offsets[1:]] - running[offsets[:-1]]
    found += draw(max(letter_lists, 1))[letters]
    found += counts.astype(np.uint64) * draw(1)
    return found


def _shape(keys: tuple[str, ...], types: str) -> Shape:
    content = hashlib.blake2b(types.encode(), digest_size=16)
    for key in keys:
        raw = key.encode()
        content.update(b"%d:" % len(raw))
        content.update(raw)
    return Shape(content.digest(), keys, types)
