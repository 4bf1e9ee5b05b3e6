"""How much one search may ask for, whatever language it is written in."""

from collections.abc import Iterator
from contextlib import contextmanager

from collector.query.parse.errors import ParseError

MAX_CONDITIONS = 64
MAX_DEPTH = 32


class Bounds:
    """Counts the conditions of one search while it is read, and how deep it nests."""

    def __init__(self) -> None:
        self._conditions = 0
        self._depth = 0

    def condition(self, position: int | None = None, count: int = 1) -> None:
        """Count conditions. Raises: ParseError when there are more than `MAX_CONDITIONS`."""
        self._conditions += count
        if self._conditions > MAX_CONDITIONS:
            raise ParseError(f"more than {MAX_CONDITIONS} conditions", position)

    @contextmanager
    def nested(self, position: int | None = None) -> Iterator[None]:
        """Be one level deeper within the block. Raises: ParseError when that is deeper than `MAX_DEPTH`."""
        if self._depth == MAX_DEPTH:
            raise ParseError(f"nested deeper than {MAX_DEPTH} levels", position)
        self._depth += 1
        yield
        self._depth -= 1
