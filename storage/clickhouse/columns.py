"""The stored columns, listed once: derived from the port's schemas.

`resource` and `scope` are stored as ids of rows in `resources` and `scopes`; all else keeps its name.
"""

import pyarrow as pa

from storage.schemas import AGENT_LOGS, AGENT_SPANS, LOGS, SPANS

ID = pa.binary(16)
_IDS = {"resource": "resource_id", "scope": "scope_id"}

DATABASE_TABLES = (
    "spans",
    "logs",
    "agent_spans",
    "agent_logs",
    "transfers",
    "agent_runs",
    "resources",
    "scopes",
    "services",
    "operations",
    "attribute_keys",
)


def stored(names: list[str]) -> list[str]:
    """Return the stored column of each of the port's columns."""
    return [_IDS.get(name, name) for name in names]


SPAN_COLUMNS = stored(SPANS.names)
LOG_COLUMNS = stored(LOGS.names)
AGENT_SPAN_COLUMNS = AGENT_SPANS.names
AGENT_LOG_COLUMNS = stored(AGENT_LOGS.names)
