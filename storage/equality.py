"""When a text that a user wrote equals an attribute's text: the same text, or the same number spelt otherwise."""

import math
from binascii import unhexlify

import pyarrow as pa


def equal_texts(value: str) -> tuple[str, ...]:
    """Return the texts that equal a value: itself, and what an integer or a double of the same number is kept as.

    Doubles have two spellings: Arrow's in items (`1`), Python's in contexts (`1.0`).
    """
    number = parse_number(value)
    if number is None:
        return (value,)
    texts = [value]
    if isinstance(number, int) or number.is_integer():
        texts.append(str(int(number)))
    as_double = nearest_double(number)
    if as_double == number or math.isnan(as_double):
        spelt = (0.0, -0.0) if as_double == 0 else (as_double,)  # two doubles, equal as numbers
        texts += [text for each in spelt for text in (str(pa.scalar(each).cast(pa.string())), repr(each))]
    return tuple(dict.fromkeys(texts))


def parse_id(value: str) -> bytes | None:
    """Return the bytes of an id in hex of any case, or None when the text is none."""
    try:
        return unhexlify(value)
    except ValueError:
        return None


def nearest_double(number: int | float) -> float:
    """Return the number as a double; an integer beyond all doubles becomes an infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def parse_number(value: str) -> int | float | None:
    """Return the number a text means, integers exactly, or None. Python's underscores and spaces are no numbers."""
    if not value.isascii() or any(character in value for character in "_ \t\n\r\v\f"):
        return None
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return None
