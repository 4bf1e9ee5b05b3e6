"""Which decoded items can never be stored: vectorised checks over the columns of one decode call."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.otlp.contexts import Contexts
from collector.otlp.decode import Layout
from collector.otlp.texts import bytes_of
from storage.queries import Signal

INVALID_TRACE_ID = "invalid_trace_id"
INVALID_SPAN_ID = "invalid_span_id"
SPAN_SENT_AS_LOG = "span_sent_as_log"

# The first bytes that an AnyValue can have: the tags of its fields, common.proto.
_ANY_VALUE_TAGS = np.array([0x0A, 0x10, 0x18, 0x21, 0x2A, 0x32, 0x3A, 0x40], np.uint8)
_KEY_TAG, _VALUE_TAG = 0x0A, 0x12  # of a KeyValue


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
    """Judge every item. Log records are storable whatever their ids, which only dissociate them (OTLP logs.proto)."""
    judge = _span_faults if signal is Signal.TRACES else _log_faults
    faults = judge(parts.items) if len(parts.items) else {}
    return Verdict(
        items=parts.items_of_request,
        rejected={
            reason: np.bincount(parts.request_of_item[bad], minlength=requests)
            for reason, bad in faults.items()
            if bad.any()
        },
        malformed=_malformed(parts, requests, contexts),
    )


def spans_sent_as_logs(records: pa.StructArray) -> NDArray[np.bool_]:
    """Tell which log records are spans that were posted to the logs endpoint: on the wire they can be read as both.

    Such a record has neither a time nor a severity, and for a body the span's name, which is no AnyValue, or for a
    trace id the span's first attribute.
    """
    numbers = ("time_unix_nano", "observed_time_unix_nano", "severity_number")
    suspected: NDArray[np.bool_] = reduce(np.logical_and, (records.field(name).to_numpy() == 0 for name in numbers))
    if not suspected.any():
        return suspected
    rows = np.flatnonzero(suspected)
    body, trace_id = records.field("body").take(pa.array(rows)), records.field("trace_id").take(pa.array(rows))
    found = np.zeros(len(records), np.bool_)
    found[rows] = _is_no_value(body) | _is_key_value(trace_id)
    return found


def valid_ids(ids: pa.BinaryArray, size: int) -> NDArray[np.bool_]:
    """Tell which ids have the right length and are not all zero."""
    offsets, data = bytes_of(ids)
    right_size = offsets[1:] - offsets[:-1] == size
    if right_size.all():
        words = data[offsets[0] : offsets[-1]].reshape(-1, size).view(np.uint64)
        return np.asarray(reduce(np.bitwise_or, words.T) != 0, np.bool_)
    starts = offsets[:-1][right_size]
    nonzero = data[starts[:, None] + np.arange(size)].any(axis=1)
    right_size[right_size] = nonzero
    return np.asarray(right_size, np.bool_)


def _span_faults(spans: pa.StructArray) -> dict[str, NDArray[np.bool_]]:
    bad_trace = ~valid_ids(spans.field("trace_id"), 16)
    return {INVALID_TRACE_ID: bad_trace, INVALID_SPAN_ID: ~valid_ids(spans.field("span_id"), 8) & ~bad_trace}


def _log_faults(records: pa.StructArray) -> dict[str, NDArray[np.bool_]]:
    return {SPAN_SENT_AS_LOG: spans_sent_as_logs(records)}


def _is_no_value(texts: pa.BinaryArray) -> NDArray[np.bool_]:
    """Tell which bytes, if any, are not those of an AnyValue."""
    offsets, data = bytes_of(texts)
    wrong = np.diff(offsets) > 0
    wrong[wrong] = ~np.isin(data[offsets[:-1][wrong]], _ANY_VALUE_TAGS)
    return wrong


def _is_key_value(texts: pa.BinaryArray) -> NDArray[np.bool_]:
    """Tell which bytes begin as a KeyValue does: with a key of up to 127 bytes, and then a value."""
    offsets, data = bytes_of(texts)
    starts, sizes = offsets[:-1], np.diff(offsets)
    found = sizes >= 4
    found[found] = data[starts[found]] == _KEY_TAG
    value = data[starts[found] + 1].astype(np.int64) + 2
    fits = value < np.minimum(sizes[found] - 1, 130)  # the value has a length, too
    found[found] = fits
    found[found] = data[starts[found] + value[fits]] == _VALUE_TAG
    return found


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
