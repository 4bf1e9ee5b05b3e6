"""Unsigned integers as PostgreSQL's signed ones.

uint64 is stored as bigint holding the value minus 2**63: every value fits and order is kept. (`baton_ns(column)` and
`baton_time(column)` show people the value.) uint32, which no search orders by, is stored as the integer with the same
bits.
"""

OFFSET = 2**63
MAX_UINT64 = 2**64 - 1


def to_bigint(value: int) -> int:
    """Return what stands for an unsigned 64-bit integer; values outside are moved to the nearest."""
    return min(max(value, 0), MAX_UINT64) - OFFSET


def from_bigint(stored: int) -> int:
    """Return the unsigned 64-bit integer that a stored value stands for."""
    return stored + OFFSET


def from_integer(stored: int) -> int:
    """Return the unsigned 32-bit integer with the same bits."""
    return stored % 2**32
