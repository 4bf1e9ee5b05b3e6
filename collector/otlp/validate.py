"""Which decoded items can never be stored: vectorised checks over the columns of one decode call."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.otlp.contexts import Contexts
from collector.otlp.decode import Layout
from storage.queries import Signal

INVALID_TRACE_ID = "invalid_trace_id"
INVALID_SPAN_ID = "invalid_span_id"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checks found, per request (row of the columns).

    `items` counts what each request holds; `rejected[reason]` how many of them can never be stored; `malformed` marks
    requests whose resource or scope is not a protobuf message at all.
    """

    items: NDArray[np.int64]
    rejected: dict[str, NDArray[np.int64]]
    malformed: NDArray[np.bool_]


def check(signal: Signal, parts: Layout, requests: int, contexts: Contexts) -> Verdict:
    """Judge every item. Log records are always storable: bad ids only dissociate them (OTLP logs.proto)."""
    rejected = {}
    if signal is Signal.TRACES and len(parts.items):
        bad_trace = ~valid_ids(parts.items.field("trace_id"), 16)
        bad_span = ~valid_ids(parts.items.field("span_id"), 8) & ~bad_trace
        for reason, bad in ((INVALID_TRACE_ID, bad_trace), (INVALID_SPAN_ID, bad_span)):
            if bad.any():
                rejected[reason] = np.bincount(parts.request_of_item[bad], minlength=requests)
    return Verdict(
        items=parts.items_of_request,
        rejected=rejected,
        malformed=_malformed(parts, requests, contexts),
    )


def valid_ids(ids: pa.BinaryArray, size: int) -> NDArray[np.bool_]:
    """Tell which ids have the right length and are not all zero."""
    _, offset_bytes, id_bytes = ids.buffers()
    if len(ids) == 0 or id_bytes is None:
        return np.zeros(len(ids), np.bool_)
    offsets = np.frombuffer(offset_bytes, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    right_size = offsets[1:] - offsets[:-1] == size
    data = np.frombuffer(id_bytes, np.uint8)
    if right_size.all():
        words = data[offsets[0] : offsets[-1]].reshape(-1, size).view(np.uint64)
        return np.asarray(reduce(np.bitwise_or, words.T) != 0, np.bool_)
    starts = offsets[:-1][right_size]
    nonzero = data[starts[:, None] + np.arange(size)].any(axis=1)
    right_size[right_size] = nonzero
    return np.asarray(right_size, np.bool_)


def _malformed(parts: Layout, requests: int, contexts: Contexts) -> NDArray[np.bool_]:
    bad = np.zeros(requests, np.bool_)
    resources, scopes = parts.resources, parts.scopes
    pairs = zip(resources.field("resource").to_pylist(), resources.field("schema_url").to_pylist(), strict=True)
    bad_resources = [row for row, pair in enumerate(pairs) if contexts.resource(*pair) is None]
    pairs = zip(scopes.field("scope").to_pylist(), scopes.field("schema_url").to_pylist(), strict=True)
    bad_scopes = [row for row, pair in enumerate(pairs) if contexts.scope(*pair) is None]
    if bad_scopes:
        bad_resources += parts.resource_of_scope[bad_scopes].tolist()
    if bad_resources:
        bad[parts.request_of_resource[bad_resources]] = True
    return bad
