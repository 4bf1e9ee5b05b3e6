"""Finds the words of a serialised export request that make it unique: ids, times and high-cardinality text."""

from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from google.protobuf.json_format import MessageToDict

from collector.bench.messages import UNIQUE_TEXT_CHARS

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

TRACE_HIGH, TRACE_LOW, SPAN = 0, 1, 2  # the random word that an id word is combined with


@dataclass(frozen=True, slots=True)
class Slots:
    """Where the words of a serialised request are (byte offsets) and what the template holds there."""

    id_at: Places
    id_base: Words
    id_nonce: Places  # TRACE_HIGH, TRACE_LOW or SPAN for each id word
    time_at: Places
    time_base: Words
    text_at: Places


def serialise(message: Any, as_json: bool) -> tuple[bytes, Slots, int]:
    """Return an export request as wire bytes, its slots, and how many items it has."""
    body = orjson.dumps(_to_json(message)) if as_json else bytes(message.SerializeToString())
    items = _items(message)
    finder = _Finder(body, as_json)
    for item in items:
        finder.add(item)
    return body, finder.slots(), len(items)


def _items(message: Any) -> list[Any]:
    if hasattr(message, "resource_spans"):
        scopes = [scope.spans for resource in message.resource_spans for scope in resource.scope_spans]
    else:
        scopes = [scope.log_records for resource in message.resource_logs for scope in resource.scope_logs]
    return [item for scope in scopes for item in scope]


class _Finder:
    """Goes through the items in their order; within an item the order of the fields does not matter."""

    def __init__(self, body: bytes, as_json: bool) -> None:
        self._body = body
        self._as_json = as_json
        self._cursor = 0
        self._ids: list[tuple[int, bytes, int]] = []
        self._times: list[tuple[int, int]] = []
        self._texts: list[int] = []

    def add(self, item: Any) -> None:
        blob = _item_json(item) if self._as_json else bytes(item.SerializeToString())
        start = self._body.index(blob, self._cursor)
        self._cursor = start + len(blob)
        self._add_ids(item, blob, start)
        for moment in _times(item):
            text = str(moment).encode() if self._as_json else moment.to_bytes(8, "little")
            self._times.append((start + _only(blob, text), moment))
        for pair in item.attributes:
            if pair.key == "request.id":
                text = pair.value.string_value.encode()
                self._texts.append(start + _only(blob, text) + len(text) - UNIQUE_TEXT_CHARS)

    def _add_ids(self, item: Any, blob: bytes, start: int) -> None:
        if item.trace_id:
            at = start + self._only_id(blob, item.trace_id)
            self._ids.append((at, item.trace_id[:8], TRACE_HIGH))
            self._ids.append((at + (16 if self._as_json else 8), item.trace_id[8:], TRACE_LOW))
        for value in (item.span_id, getattr(item, "parent_span_id", b"")):
            if value:
                self._ids.append((start + self._only_id(blob, value), value, SPAN))

    def _only_id(self, blob: bytes, value: bytes) -> int:
        return _only(blob, value.hex().encode() if self._as_json else value)

    def slots(self) -> Slots:
        return Slots(
            id_at=np.array([at for at, _, _ in self._ids], np.int64),
            id_base=np.frombuffer(b"".join(value for _, value, _ in self._ids), "<u8"),
            id_nonce=np.array([nonce for _, _, nonce in self._ids], np.int64),
            time_at=np.array([at for at, _ in self._times], np.int64),
            time_base=np.array([moment for _, moment in self._times], np.uint64),
            text_at=np.array(self._texts, np.int64),
        )


def _only(blob: bytes, value: bytes) -> int:
    if blob.count(value) != 1:
        raise ValueError(f"{value!r} is not exactly once in its item")
    return blob.index(value)


def _times(item: Any) -> list[int]:
    if hasattr(item, "observed_time_unix_nano"):
        return [item.time_unix_nano, item.observed_time_unix_nano]
    return [item.start_time_unix_nano, item.end_time_unix_nano, *(event.time_unix_nano for event in item.events)]


def _to_json(message: Any) -> dict[str, Any]:
    """Return an export request as OTLP/JSON: ids in hex, the rest as proto3 JSON."""
    document: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    for resource in document.get("resourceSpans", document.get("resourceLogs", [])):
        for scope in resource.get("scopeSpans", resource.get("scopeLogs", [])):
            for item in scope.get("spans", scope.get("logRecords", [])):
                _hex_ids(item)
    return document


def _item_json(item: Any) -> bytes:
    document = MessageToDict(item, use_integers_for_enums=True)
    _hex_ids(document)
    return orjson.dumps(document)


def _hex_ids(item: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in item:
            item[key] = b64decode(item[key]).hex()
