"""Things in a row, put into parts of a bounded size."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


def packed(items: Iterable[_Item], size_of: Callable[[_Item], int], most: int) -> Iterator[list[_Item]]:
    """Yield the items in order, in lists whose sizes add up to at most `most`; a larger item stands alone."""
    part: list[_Item] = []
    held = 0
    for item in items:
        size = size_of(item)
        if part and held + size > most:
            yield part
            part, held = [], 0
        part.append(item)
        held += size
    if part:
        yield part
