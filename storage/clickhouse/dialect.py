"""What the same SQL needs on one server and on a cluster: how migrations are filled in, and where rows are.

The .sql files write `{on_cluster}`, `{merge_tree}`, `{replacing}` (with the columns that decide, if any) and
`{deduplication}`; `ALTER TABLE` and `CREATE TABLE` name the table right after, and `{on_cluster}` after that.
"""

import re

_ENGINE = re.compile(r"\{(merge_tree|replacing)\}(?:\(([^)]*)\))?")
_ENGINES = {"merge_tree": "MergeTree", "replacing": "ReplacingMergeTree"}
_CREATE_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\b")
_ALTER_TABLE = re.compile(r"ALTER TABLE (\w+)\b")
_FROM = re.compile(r"\bFROM (\w+)\b")

# Which shard a row is on. All of a trace is on one; so is all that is replaced by its key. Records of no trace lie
# together by the second: few, large parts a batch, an even share over time.
_BY_TRACE = "cityHash64(trace_id)"
_BY_TRACE_OR_SECOND = "if(trace_id = '', cityHash64(intDiv(event_time_unix_nano, 1000000000)), cityHash64(trace_id))"
SHARDING = {
    "spans": _BY_TRACE,
    "logs": _BY_TRACE_OR_SECOND,
    "agent_spans": _BY_TRACE,
    "agent_logs": _BY_TRACE_OR_SECOND,
    "transfers": "cityHash64(group_key)",
    "agent_runs": "cityHash64(group_key)",
    "resources": "cityHash64(id)",
    "scopes": "cityHash64(id)",
    "services": "cityHash64(service_name)",
    "operations": "cityHash64(service_name, name)",
    "attribute_keys": "cityHash64(key)",
    "removals": "cityHash64(id)",
    "schema_migrations": "version",
}
LOCAL = "_local"


class Dialect:
    """One server: a table is where its rows are. The window is how many tokens of inserts each table remembers."""

    def __init__(self, window: int = 1_000) -> None:
        self.deduplication = f"non_replicated_deduplication_window = {window}"
        self.on_cluster = ""
        self.database = "currentDatabase()"

    def statements(self, statement: str) -> list[str]:
        """Return what to run for one statement of a migration."""
        text = _ENGINE.sub(lambda found: self._engine(found[1], found[2] or ""), statement)
        text = text.replace("{deduplication}", self.deduplication).replace("{on_cluster}", self.on_cluster)
        return [text]

    def stored(self, table: str) -> str:
        """Return the name under which the rows of a table are stored on each server."""
        return table

    def altered(self, table: str) -> str:
        """Return what follows ALTER TABLE or TRUNCATE TABLE to change the stored rows, wherever they are."""
        return f"{self.stored(table)} {self.on_cluster}".rstrip()

    def marks(self, table: str) -> str:
        """Return what to select a table's primary index from: `rows_in_granule` and the sort key, every row once."""
        return f"mergeTreeIndex({self.database}, {table})"

    def system(self, table: str) -> str:
        """Return what to select a system table from, so that it tells of all stored rows, and of each row once."""
        return f"system.{table}"

    def servers_without(self, table: str) -> str | None:
        """Return a SELECT of how many servers that answer lack a table; None: the one server has all that it needs."""
        del table
        return None

    def _engine(self, kind: str, arguments: str) -> str:
        return f"{_ENGINES[kind]}({arguments})" if arguments else _ENGINES[kind]


class ClusterDialect(Dialect):
    """A cluster: replicated tables named `…_local` hold the rows, Distributed tables of the plain name are above."""

    def __init__(self, cluster: str, database: str, window: int) -> None:
        super().__init__()
        self._cluster, self._database = cluster, database
        self.database = f"'{database}'"
        self.on_cluster = f"ON CLUSTER '{cluster}'"
        # Also by age: a collector that was away for days may have a batch that it had stored.
        self.deduplication = (
            f"replicated_deduplication_window = {window}, replicated_deduplication_window_seconds = {7 * 86_400}"
        )

    def statements(self, statement: str) -> list[str]:
        """See `Dialect.statements`."""
        (text,) = super().statements(statement)
        if created := _CREATE_TABLE.match(text):
            return [_CREATE_TABLE.sub(rf"CREATE TABLE IF NOT EXISTS \1{LOCAL}", text), self._distributed(created[1])]
        if _ALTER_TABLE.match(text):
            local = _ALTER_TABLE.sub(rf"ALTER TABLE \1{LOCAL}", text)
            return [local, text] if " COLUMN " in text else [local]
        # A view's tables are looked for in the database of whoever runs the statement: on a cluster, any.
        return [_FROM.sub(rf"FROM `{self._database}`.\1", text)]

    def stored(self, table: str) -> str:
        """See `Dialect.stored`."""
        return f"{table}{LOCAL}"

    def marks(self, table: str) -> str:
        """See `Dialect.marks`."""
        return f"cluster('{self._cluster}', mergeTreeIndex('{self._database}', '{self.stored(table)}'))"

    def system(self, table: str) -> str:
        """See `Dialect.system`: one replica of each shard answers."""
        return f"cluster('{self._cluster}', system.{table})"

    def servers_without(self, table: str) -> str | None:
        """See `Dialect.servers_without`."""
        here = f"database = {self.database} AND name = '{self.stored(table)}'"
        tables = f"SELECT count() FROM clusterAllReplicas('{self._cluster}', system.tables) WHERE {here}"
        servers = f"SELECT count() FROM clusterAllReplicas('{self._cluster}', system.one)"
        return f"SELECT toInt64(({servers})) - toInt64(({tables})) AS servers SETTINGS skip_unavailable_shards = 1"

    def _distributed(self, table: str) -> str:
        local = self.stored(table)
        engine = f"Distributed('{self._cluster}', '{self._database}', '{local}', {SHARDING[table]})"
        return f"CREATE TABLE IF NOT EXISTS {table} {self.on_cluster} AS {local} ENGINE = {engine}"

    def _engine(self, kind: str, arguments: str) -> str:
        # Not the default path, whose UUID would be another one on a server that joins later.
        place = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
        return f"Replicated{_ENGINES[kind]}({place}{', ' if arguments else ''}{arguments})"
