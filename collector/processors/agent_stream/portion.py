"""How many spans are read and handed on at once: few where spans are large, fewer when storage has no room."""

import pyarrow as pa

MAX_SPANS = 100_000
"""At most, and of one group: some hundreds of megabytes as objects."""
_MAX_BYTES = 64 * 2**20
_GUESSED_BYTES = 4_096  # of a span, before any was read


class Portion:
    """The number, from what was seen lately. It recovers while all goes well."""

    def __init__(self) -> None:
        self._ceiling = MAX_SPANS
        self._bytes_a_span, self._seen = _GUESSED_BYTES, 0

    @property
    def spans(self) -> int:
        """How many to read at once; a group that has more is read alone."""
        return max(1, min(self._ceiling, _MAX_BYTES // self._bytes_a_span))

    def read(self, spans: pa.Table) -> None:
        """Note how large spans are, of some that were read together."""
        self._seen = max(self._seen, spans.nbytes // max(len(spans), 1))

    def succeeded(self) -> None:
        """Note that all that was to be done was done: the next is taken to be like it."""
        self._ceiling = min(2 * self._ceiling, MAX_SPANS)
        self._bytes_a_span, self._seen = max(self._seen, 1), 0

    def failed(self) -> None:
        """Note that storage could not answer, which may be for want of memory: the same again would fail again."""
        self._ceiling = max(1, self.spans // 16)
