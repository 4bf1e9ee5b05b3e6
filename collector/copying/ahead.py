"""Read ahead on a thread, so that one store reads while the other writes."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


class _Reader(Generic[Item]):
    def __init__(self, items: Generator[Item, None, None], depth: int) -> None:
        self._items = items
        self._ready: queue.Queue[Item | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="baton-copy-read")
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            item = self._ready.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            with contextlib.closing(self._items) as items:
                for item in items:
                    if not self._put(item):
                        return
        except BaseException as raised:  # noqa: BLE001  raised again by the thread that waits for it
            error = raised
        self._put(_End(error))

    def _put(self, item: Item | _End) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put(item, timeout=_POLL_SECONDS)
                return True
        return False


def read_ahead(items: Generator[Item, None, None], depth: int = 1) -> Generator[Item, None, None]:
    """Yield the items, produced on another thread; at most `depth` wait. Errors come through in their place."""
    reader = _Reader(items, depth)
    try:
        yield from reader
    finally:
        reader.close()
