"""AGENT_SPANS and AGENT_LOGS rows of a batch, in columns: no loop over spans.

The test for agentic rows looks at distinct attribute keys, span names and scopes only, so a batch without any pays one
pass over its keys.
"""

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.processors.agent_stream.fields import agent_fields
from collector.processors.agent_stream.keyed import Keyed
from collector.processors.agent_transfers.grouping import (
    AGENT_ATTRIBUTE_KEYS,
    AGENT_KEY_PATTERN,
    AGENT_KEY_PREFIXES,
    AGENT_NAME_PATTERN,
    AGENT_SCOPE_PATTERN,
)
from collector.processors.agent_transfers.remembering import remembered
from exporters.contexts import scope_context
from storage.schemas import AGENT_LOGS, AGENT_SPANS, LOGS

_KEY = re.compile(AGENT_KEY_PATTERN)
_NAME = re.compile(AGENT_NAME_PATTERN)
_SCOPE = re.compile(AGENT_SCOPE_PATTERN)


@remembered(65_536)
def is_agent_key(key: str) -> bool:
    """Tell whether a span with this attribute key is agentic."""
    return key in AGENT_ATTRIBUTE_KEYS or key.startswith(AGENT_KEY_PREFIXES) or _KEY.search(key) is not None


@remembered(65_536)
def _is_agent_name(name: str) -> bool:
    return _NAME.search(name) is not None


@remembered(8_192)
def _is_agent_scope(context: bytes) -> bool:
    return _SCOPE.search(scope_context(context).name) is not None


def agent_span_rows(spans: pa.Table, batch_time_unix_nano: int) -> pa.Table:
    """Return the AGENT_SPANS rows of a SPANS table."""
    if spans.num_rows == 0:
        return AGENT_SPANS.empty_table()
    tags = pa.concat_arrays(spans["attributes"].chunks)
    agentic = _dictionary_mask(spans["name"], _is_agent_name) | _dictionary_mask(spans["scope"], _is_agent_scope)
    keys = tags.keys
    has_agent_key = any(is_agent_key(key) for key in pc.unique(keys).to_pylist())
    if has_agent_key:
        encoded = keys.dictionary_encode()
        wanted = np.array([is_agent_key(key) for key in encoded.dictionary.to_pylist()], np.bool_)
        hits = np.flatnonzero(wanted[encoded.indices.to_numpy()])
        agentic[np.searchsorted(tags.offsets.to_numpy(), hits, side="right") - 1] = True
    if not agentic.any():
        return AGENT_SPANS.empty_table()
    rows = spans.filter(pa.array(agentic)).combine_chunks()
    return _rows(rows, batch_time_unix_nano)


def agent_log_rows(logs: pa.Table, batch_time_unix_nano: int, prefilter: str) -> pa.Table:
    """Return the AGENT_LOGS rows of a LOGS table: records whose text matches the prefilter (RE2)."""
    if logs.num_rows == 0:
        return AGENT_LOGS.empty_table()
    matching = pc.match_substring_regex(logs["body"], prefilter)
    rows = logs.filter(matching)
    times = pa.array(np.full(rows.num_rows, batch_time_unix_nano, np.uint64))
    return rows.select(LOGS.names).append_column(AGENT_LOGS.field("batch_time_unix_nano"), times)


def _dictionary_mask(column: pa.ChunkedArray, test: Callable[..., bool]) -> NDArray[np.bool_]:
    """Apply a test to the distinct values of a dictionary column and spread it over the rows."""
    masks = []
    for chunk in column.chunks:
        wanted = np.array([test(value) for value in chunk.dictionary.to_pylist()], np.bool_)
        masks.append(wanted[chunk.indices.to_numpy()] if len(wanted) else np.zeros(len(chunk), np.bool_))
    return np.concatenate(masks)


def _rows(spans: pa.Table, batch_time_unix_nano: int) -> pa.Table:
    count = spans.num_rows
    fields = agent_fields(Keyed.of(spans), spans["name"].chunk(0))
    links = spans["links"].chunk(0)
    columns = {
        **{name: spans[name] for name in ("trace_id", "span_id", "parent_span_id", "start_time_unix_nano")},
        **{name: spans[name] for name in ("duration_ns", "status_code", "day")},
        "service_name": spans["service_name"].cast(pa.string()),
        **fields,
        "linked_trace_ids": pa.ListArray.from_arrays(links.offsets, links.flatten().field("trace_id")),
        "batch_time_unix_nano": pa.array(np.full(count, batch_time_unix_nano, np.uint64)),
    }
    return pa.table([columns[name] for name in AGENT_SPANS.names], schema=AGENT_SPANS)
