"""Whole numbers as callers write them."""

from collector.query.parse.errors import ParseError

_MOST_DIGITS = 20  # of 2**64; Python itself reads no text of over 4,300


def parse_count(text: str) -> int:
    """Return a whole number, zero or more."""
    if len(text) > _MOST_DIGITS or not is_count(text):
        raise ParseError(f"expected a whole number of at most {_MOST_DIGITS} digits")
    return int(text)


def is_count(text: str) -> bool:
    """Tell whether a text is digits alone; digits of other scripts and superscripts are none."""
    return text.isascii() and text.isdigit()
