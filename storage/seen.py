"""A bounded memory of what this process has written already, least recently used out first."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Seen(Generic[Key]):
    """Forgetting an entry is harmless: it is written once more and merges away."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def unseen(self, keys: Iterable[Key]) -> list[Key]:
        """Return the keys that are not remembered; the others count as used now."""
        missing = []
        for key in keys:
            if key in self._keys:
                self._keys.move_to_end(key)
            else:
                missing.append(key)
        return missing

    def add(self, keys: Iterable[Key]) -> None:
        """Remember keys."""
        for key in keys:
            self._keys[key] = None
        while len(self._keys) > self._limit:
            self._keys.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._keys.clear()
