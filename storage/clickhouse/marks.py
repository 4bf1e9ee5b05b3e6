"""Marks queries, so that another connection can tell the engine which of them to end."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from uuid import uuid4

from storage.cancelling import is_covered, stoppable
from storage.clickhouse.engine import Settings


class Marks:
    """Of one engine; no other's are like them."""

    def __init__(self) -> None:
        self._prefix = f"baton-{uuid4().hex}"
        self._numbers = itertools.count(1)

    @contextlib.contextmanager
    def marked(self, settings: Settings | None, run: Callable[[str], None]) -> Iterator[Settings]:
        """Yield the settings for a query that may end early; `run` is given the statement that ends it.

        A comment, because the embedded engine takes no query id. Raises: QueryCancelled, see `stoppable`.
        """
        if not is_covered():
            yield settings or {}
            return
        mark = f"{self._prefix}-{next(self._numbers)}"
        with stoppable(lambda: run(f"KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC")):
            yield {**(settings or {}), "log_comment": mark}
