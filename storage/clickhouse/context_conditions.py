"""Conditions on resources and scopes become lists of ids, so that the index on the items' own values stays usable."""

from storage.clickhouse.bindings import Bindings, id_list
from storage.clickhouse.conditions import Resolver
from storage.clickhouse.engine import Engine

_COLUMNS = {"resources": "resource_id", "scopes": "scope_id"}
_MAX_LISTED = 1_000


def resolver(engine: Engine) -> Resolver:
    """Return a resolver that asks the small tables; beyond a thousand ids the engine looks them up itself."""

    def resolve(table: str, sql: str, bindings: Bindings) -> str:
        select = f"SELECT DISTINCT id FROM {table} WHERE {sql}"
        found = engine.query(f"{select} LIMIT {_MAX_LISTED + 1}", bindings.parameters)["id"].to_pylist()
        if not found:
            return "0"
        if len(found) > _MAX_LISTED:
            return f"({_COLUMNS[table]} IN ({select}))"
        return f"({_COLUMNS[table]} IN ({id_list(found)}))"

    return resolve
