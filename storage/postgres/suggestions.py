"""Names for people to pick from: services, operations, attribute keys and values."""

from collections.abc import Mapping

from storage.postgres.bindings import Bindings, time_sql
from storage.postgres.database import Database
from storage.postgres.tables import TIME_COLUMNS
from storage.postgres.texts import unescape
from storage.postgres.unsigned import MAX_UINT64
from storage.queries import Level, Operation, Signal, TimeRange
from storage.windows import Windows

_MAX_OPERATIONS = 10_000
_RECENT_ROWS = 50_000
_TABLES = {Signal.TRACES: "spans", Signal.LOGS: "logs"}
_CONTEXTS = {Level.RESOURCE: "resources", Level.SCOPE: "scopes"}


class Suggestions:
    """Reads the small tables; attribute values come from recent items."""

    def __init__(self, database: Database, windows: Mapping[Signal, Windows]) -> None:
        self._database, self._windows = database, windows

    def services(self) -> list[str]:
        """See `storage.api.TraceReader.services`."""
        rows = self._database.query("SELECT DISTINCT service_name FROM services ORDER BY 1")
        return [text(row[0]) for row in rows]

    def operations(self, service_name: str | None, kind: int | None) -> list[Operation]:
        """See `storage.api.TraceReader.operations`."""
        bindings = Bindings()
        parts = ["true"]
        if service_name is not None:
            parts.append(f"service_name = {bindings.text(service_name)}")
        if kind is not None:
            parts.append(f"kind = {bindings.integer(kind)}")
        rows = self._database.query(
            f"""
            SELECT DISTINCT service_name, name, kind FROM operations WHERE {" AND ".join(parts)}
            ORDER BY service_name, name, kind LIMIT {_MAX_OPERATIONS}
            """,
            bindings.parameters,
        )
        return [Operation(text(service), text(name), kind) for service, name, kind in rows]

    def attribute_keys(self, signal: Signal, level: Level, prefix: str, limit: int) -> list[str]:
        """See `storage.api.TraceReader.attribute_keys`. ANY: the keys of every level."""
        bindings = Bindings()
        sources = []
        if level not in _CONTEXTS:
            at = "" if level is Level.ANY else f" AND level = {bindings.text(level.value)}"
            sources.append(f"SELECT key FROM attribute_keys WHERE signal = {bindings.text(signal.value)}{at}")
        sources += [
            f"SELECT unnest(keys) AS key FROM {table}"
            for at_level, table in _CONTEXTS.items()
            if level in (Level.ANY, at_level)
        ]
        rows = self._database.query(
            f"""
            SELECT DISTINCT key FROM ({" UNION ALL ".join(sources)}) AS found
            WHERE starts_with(key, {bindings.text(prefix)}) ORDER BY key LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        return [text(row[0]) for row in rows]

    def attribute_values(
        self, signal: Signal, key: str, level: Level, prefix: str, limit: int
    ) -> list[tuple[str, str]]:
        """See `storage.api.TraceReader.attribute_values`. ANY looks at items and resources."""
        bindings = Bindings()
        sources = self._value_sources(signal, level, bindings.text(key), bindings)
        if not sources:
            return []
        rows = self._database.query(
            f"""
            SELECT v, t, count(*) AS uses FROM ({" UNION ALL ".join(sources)}) AS found
            WHERE starts_with(v, {bindings.text(prefix)})
            GROUP BY v, t ORDER BY uses DESC, v, t LIMIT {int(limit)}
            """,
            bindings.parameters,
        )
        return [(text(value), text(letter)) for value, letter, _ in rows]

    def _value_sources(self, signal: Signal, level: Level, key: str, bindings: Bindings) -> list[str]:
        recent = self._recent(signal, bindings)
        table = _TABLES[signal]
        sources = []
        if level in (Level.ANY, Level.ITEM):
            places = (
                "SELECT DISTINCT id, e.n, e.t FROM shapes CROSS JOIN LATERAL unnest(keys, types)"
                f" WITH ORDINALITY AS e(k, t, n) WHERE {key} = ANY(keys) AND e.k = {key}"
            )
            sources.append(
                "SELECT attribute_values[s.n] AS v, s.t AS t"
                f" FROM (SELECT attribute_shape, attribute_values FROM {table} WHERE {recent}) AS recent"
                f" JOIN ({places}) AS s ON s.id = attribute_shape"
            )
        if signal is Signal.TRACES and level in (Level.EVENT, Level.LINK):
            arrays = ", ".join(f"{level.value}_{part}" for part in ("keys", "values", "types"))
            sources.append(
                f"SELECT e.v, e.t FROM (SELECT {arrays} FROM {table} WHERE {level.value}_keys IS NOT NULL AND {recent})"
                f" AS recent CROSS JOIN LATERAL unnest({arrays}) AS e(k, v, t) WHERE e.k = {key}"
            )
        sources += [
            f"SELECT e.v, e.t FROM {small} CROSS JOIN LATERAL unnest(keys, texts, types) AS e(k, v, t)"
            f" WHERE {key} = ANY(keys) AND e.k = {key}"
            for at_level, small in _CONTEXTS.items()
            if level in (Level.ANY, at_level)
        ]
        return sources

    def _recent(self, signal: Signal, bindings: Bindings) -> str:
        """Return SQL for "among the newest items"."""
        everything = TimeRange(0, MAX_UINT64 + 1)
        window = next(self._windows[signal].windows(everything, _RECENT_ROWS, 8), everything)
        column = TIME_COLUMNS[_TABLES[signal]]
        return f"{time_sql(column, window, bindings)} ORDER BY {column} DESC LIMIT {_RECENT_ROWS}"


def text(raw: bytes) -> str:
    """Return stored text; what is not UTF-8 (nested values, bytes) is shown with replacement characters."""
    return unescape(raw).decode("utf-8", "replace")
