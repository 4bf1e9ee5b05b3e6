"""Insert rows once, also across crashes.

The engine notes a deduplication token before it makes the part visible: a kill between the two leaves a token without
rows, and a later insert under that token would be swallowed. So a repeated token is taken as a claim to be checked.
It remembers a token for each day of an insert, and of many days only the last: those are looked for before each insert.
"""

import zlib

import pyarrow as pa
import pyarrow.compute as pc

from storage.clickhouse.bindings import Bindings
from storage.clickhouse.engine import Engine, Settings

_SAMPLE = 16
_REMEMBERED_DAYS = 200  # the smallest window is 1,000, and a batch of huge items is a few inserts

_HASHED = ("service_name", "body")  # of any length: a query may have so many bytes of them, and so much memory

# As for inserts: what is acknowledged must go in.
_LOOK: Settings = {"max_memory_usage": 0, "max_execution_time": 0}

# What tells a row from others well enough; a part is there as a whole or not at all.
_KEYS = {
    "spans": ("trace_id", "span_id", "start_time_unix_nano"),
    "logs": ("event_time_unix_nano", "service_name", "trace_id", "span_id", "body"),
    "agent_spans": ("trace_id", "span_id", "start_time_unix_nano"),
    "agent_logs": ("event_time_unix_nano", "service_name", "trace_id", "span_id", "body"),
}


def insert_once(engine: Engine, table: str, columns: list[str], rows: pa.Table, token: str) -> None:
    """Insert rows under a token. When the token was seen before, insert those days again that are not there."""
    if not rows.num_rows:
        return
    days = sorted(pc.unique(rows.column("day")).to_pylist())
    if len(days) <= _REMEMBERED_DAYS and engine.insert(table, columns, rows, token):
        return
    for day in days:
        part = rows.filter(pc.equal(rows.column("day"), pa.scalar(day, pa.date32())))
        attempt = 0
        while not _present(engine, table, part):
            attempt += 1
            if engine.insert(table, columns, part, f"{token}:{day}:{attempt}"):
                break


def _present(engine: Engine, table: str, part: pa.Table) -> bool:
    """Tell whether rows of one day are stored, by a few of them."""
    step = max(part.num_rows // _SAMPLE, 1)
    sample = part.select(list(_KEYS[table])).take(pa.array(range(0, part.num_rows, step))).to_pylist()
    bindings = Bindings()
    keys = {tuple(_short(name, value) for name, value in row.items()) for row in sample}
    tuples = ", ".join(f"({', '.join(_bind(value, bindings) for value in key)})" for key in keys)
    names = ", ".join(f"CRC32({name})" if name in _HASHED else name for name in _KEYS[table])
    day = part.column("day").chunk(0).view(pa.int32())[0].as_py()
    found = engine.query(
        f"SELECT uniqExact({names}) AS rows FROM {table} WHERE day = toDate({day}) AND ({names}) IN ({tuples})",
        bindings.parameters,
        _LOOK,
    )
    return bool(found["rows"][0].as_py() == len(keys))


def _short(name: str, value: bytes | str | int) -> bytes | str | int:
    if name not in _HASHED or isinstance(value, int):
        return value
    return zlib.crc32(value.encode() if isinstance(value, str) else value)


def _bind(value: bytes | str | int, bindings: Bindings) -> str:
    return bindings.unsigned(value) if isinstance(value, int) else bindings.text(value)
