"""Recognises a trace request that was sent again bit for bit, as clients do when an answer got lost."""

from collections import OrderedDict
from threading import Lock

import xxhash


class RecentRequests:
    """Digests (XXH3-128) of the requests made durable lately, bounded. Thread-safe."""

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._mutex = Lock()

    @staticmethod
    def digest(body: bytes) -> bytes:
        """Return the digest of a request body."""
        return xxhash.xxh3_128_digest(body)

    def __contains__(self, digest: bytes) -> bool:
        with self._mutex:
            return digest in self._digests

    def add(self, digests: list[bytes]) -> None:
        """Remember requests that are durable now."""
        with self._mutex:
            for digest in digests:
                self._digests[digest] = None
            while len(self._digests) > self._capacity:
                self._digests.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, as after a purge: what is sent again is then new."""
        with self._mutex:
            self._digests.clear()
