"""How a process learns that another one has dropped days or emptied the tables."""

import uuid

from storage.clickhouse.engine import Engine


class Removals:
    """Counts the rows of `removals`. Free where no other process can write. For one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen = 0 if engine.exclusive else self._count()

    def changed(self) -> bool:
        """Tell whether anything was removed since the last call, by this process or another."""
        if self._engine.exclusive:
            return False
        before, self._seen = self._seen, self._count()
        return self._seen != before

    def note(self) -> None:
        """Tell every process that something was removed."""
        if not self._engine.exclusive:
            self._engine.command(f"INSERT INTO removals (id) VALUES ('{uuid.uuid4()}')")

    def _count(self) -> int:
        return int(self._engine.query("SELECT count() AS removals FROM removals")["removals"][0].as_py())
