"""Any bytes as PostgreSQL text, and back: text cannot hold NUL or what is not UTF-8.

Bytes that text cannot hold become code points U+10FF00 + byte (private use, plane 16); so do the bytes of characters
of that range themselves, which makes the mapping lossless. Everything else stays as it is, readable and searchable:
a value searched for goes through the same mapping.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_BASE = 0x10FF00
_SURROGATES = 0xDC00  # Python's surrogateescape stands for byte b as U+DC00 + b
# Characters of the range itself start with these two bytes in UTF-8.
_LEAD, _SECOND = 0xF4, 0x8F


def escape(raw: bytes) -> str:
    """Return bytes as text that PostgreSQL can hold."""
    text = raw.decode("utf-8", "surrogateescape")
    if text.isascii() and "\0" not in text:
        return text
    return "".join(_escaped(character) for character in text)


def escape_text(value: str) -> str:
    """Return a text as PostgreSQL can hold it."""
    return escape(value.encode("utf-8", "surrogatepass"))


def unescape(raw: bytes) -> bytes:
    """Return the bytes that a stored text (UTF-8) stands for."""
    if _LEAD not in raw:
        return raw
    return b"".join(_unescaped(character) for character in raw.decode())


def escaped_array(array: pa.Array) -> pa.Array:
    """Return a binary (or string) array with every value escaped; a copy only where a value needs it."""
    array = array.cast(pa.binary()) if pa.types.is_string(array.type) else array
    suspects = _suspects(array)
    if not suspects.size:
        return array
    values = pa.array([escape(value).encode() for value in array.take(pa.array(suspects)).to_pylist()], pa.binary())
    mask = np.zeros(len(array), np.bool_)
    mask[suspects] = True
    return pc.replace_with_mask(array, pa.array(mask), values)


def unescaped_array(values: list[bytes]) -> pa.Array:
    """Return stored texts (UTF-8) as a binary array of what they stand for."""
    array = pa.array(values, pa.binary())
    data = array.buffers()[2]
    if data is None or _LEAD not in np.frombuffer(data, np.uint8):
        return array
    return pa.array([unescape(value) for value in values], pa.binary())


def _escaped(character: str) -> str:
    code = ord(character)
    if code == 0:
        return chr(_BASE)
    if 0xDC80 <= code <= 0xDCFF:
        return chr(_BASE + code - _SURROGATES)
    if code >= _BASE:
        return "".join(chr(_BASE + byte) for byte in character.encode())
    return character


def _unescaped(character: str) -> bytes:
    code = ord(character)
    return bytes((code - _BASE,)) if code >= _BASE else character.encode()


def _suspects(array: pa.Array) -> NDArray[np.int64]:
    """Return the indices of values that may need escaping, found without looking at each value in Python."""
    if not len(array):
        return np.zeros(0, np.int64)
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    if array.buffers()[2] is None:
        return np.zeros(0, np.int64)
    data = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    suspicious = data == 0
    high = data >= 0x80
    if high.any():
        suspicious |= high if not _is_utf8(array) else (data == _LEAD)
    places = np.flatnonzero(suspicious) + offsets[0]
    return np.unique(np.searchsorted(offsets, places, side="right") - 1)


def _is_utf8(array: pa.Array) -> bool:
    try:
        array.view(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
