"""Names for people to pick from: services, operations, attribute keys and values."""

from collections.abc import Mapping

from storage.clickhouse.bindings import MAX_UINT64, Bindings, keyed_time_sql
from storage.clickhouse.engine import Engine
from storage.clickhouse.histogram import Histogram
from storage.queries import Level, Operation, Signal, TimeRange

_MAX_OPERATIONS = 10_000
_RECENT_ROWS = 100_000
_TABLES = {Signal.TRACES: ("spans", "start_time_unix_nano"), Signal.LOGS: ("logs", "event_time_unix_nano")}
_CONTEXTS = {Level.RESOURCE: "resources", Level.SCOPE: "scopes"}


class Suggestions:
    """Reads the small tables; attribute values come from recent items."""

    def __init__(self, engine: Engine, times: Mapping[Signal, Histogram]) -> None:
        self._engine, self._times = engine, times

    def services(self) -> list[str]:
        """See `storage.api.TraceReader.services`."""
        rows = self._engine.query("SELECT DISTINCT service_name AS name FROM services ORDER BY name")
        return [text(name) for name in rows["name"].to_pylist()]

    def operations(self, service_name: str | None, kind: int | None) -> list[Operation]:
        """See `storage.api.TraceReader.operations`."""
        bindings = Bindings()
        parts = ["1"]
        if service_name is not None:
            parts.append(f"service_name = {bindings.text(service_name)}")
        if kind is not None:
            parts.append(f"kind = {bindings.signed(kind)}")
        rows = self._engine.query(
            f"""
            SELECT DISTINCT service_name, name, kind FROM operations WHERE {" AND ".join(parts)}
            ORDER BY service_name, name, kind LIMIT {_MAX_OPERATIONS}
            """,
            bindings.parameters,
        )
        columns = (rows[column].to_pylist() for column in ("service_name", "name", "kind"))
        return [Operation(text(service), text(name), kind) for service, name, kind in zip(*columns, strict=True)]

    def attribute_keys(self, signal: Signal, level: Level, prefix: str, limit: int) -> list[str]:
        """See `storage.api.TraceReader.attribute_keys`. ANY: the keys of every level."""
        bindings = Bindings()
        start = f"startsWith(key, {bindings.text(prefix)})"
        sources = []
        if level not in _CONTEXTS:
            at = "" if level is Level.ANY else f" AND level = {bindings.text(level.value)}"
            sources.append(
                f"SELECT key FROM attribute_keys WHERE signal = {bindings.text(signal.value)}{at} AND {start}"
            )
        sources += [
            f"SELECT arrayJoin(mapKeys(attributes)) AS key FROM {table} WHERE {start}"
            for at_level, table in _CONTEXTS.items()
            if level in (Level.ANY, at_level)
        ]
        sql = f"SELECT DISTINCT key FROM ({' UNION ALL '.join(sources)}) ORDER BY key LIMIT {int(limit)}"
        return [text(key) for key in self._engine.query(sql, bindings.parameters)["key"].to_pylist()]

    def attribute_values(
        self, signal: Signal, key: str, level: Level, prefix: str, limit: int
    ) -> list[tuple[str, str]]:
        """See `storage.api.TraceReader.attribute_values`. ANY looks at items and resources."""
        bindings = Bindings()
        at = bindings.text(key)
        sources = [f"({sql})" for sql in self._value_sources(signal, level, at, bindings)]
        if not sources:
            return []
        sql = f"""
            SELECT v, t, count() AS uses FROM
            (
                SELECT arrayJoin(arrayFilter(e -> e.1 = {at}, entries)) AS entry, entry.2 AS v, entry.3 AS t
                FROM ({" UNION ALL ".join(sources)})
            )
            WHERE startsWith(v, {bindings.text(prefix)})
            GROUP BY v, t ORDER BY uses DESC, v, t LIMIT {int(limit)}
        """
        rows = self._engine.query(sql, bindings.parameters)
        pairs = zip(rows["v"].to_pylist(), rows["t"].to_pylist(), strict=True)
        return [(text(value), text(letter)) for value, letter in pairs]

    def _value_sources(self, signal: Signal, level: Level, key: str, bindings: Bindings) -> list[str]:
        table, time = _TABLES[signal]
        newest = next(self._times[signal].windows(TimeRange(0, MAX_UINT64 + 1), _RECENT_ROWS, 1))
        recent = f"WHERE {keyed_time_sql(time, newest, bindings)}"
        sources = []
        if level in (Level.ANY, Level.ITEM):
            sources.append(f"SELECT {_entries('attributes', 'attribute_types')} AS entries FROM {table} {recent}")
        if signal is Signal.TRACES and level in (Level.EVENT, Level.LINK):
            column = "events" if level is Level.EVENT else "links"
            maps = f"{column}.attributes, {column}.attribute_types"
            flat = f"arrayFlatten(arrayMap((m, mt) -> {_entries('m', 'mt')}, {maps}))"
            sources.append(f"SELECT {flat} AS entries FROM {table} {recent} AND notEmpty({column})")
        sources += [
            f"SELECT {_entries('attributes', 'attribute_types')} AS entries FROM {small}"
            f" WHERE has(mapKeys(attributes), {key})"
            for at_level, small in _CONTEXTS.items()
            if level in (Level.ANY, at_level)
        ]
        return sources


def _entries(entries: str, types: str) -> str:
    return f"arrayZip(mapKeys({entries}), mapValues({entries}), splitByString('', {types}))"


def text(raw: bytes) -> str:
    """Return stored bytes as text; what is not UTF-8 (nested values, bytes) is shown with replacement characters."""
    return raw.decode("utf-8", "replace")
