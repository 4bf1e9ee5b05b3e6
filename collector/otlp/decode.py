"""Serialised export requests to nested Arrow columns: one call for as many requests as are waiting.

Row i of the columns is request i. A malformed request is isolated, so the good ones beside it are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import ptars
import pyarrow as pa
from numpy.typing import NDArray

from collector.otlp.generated import otlp_columns_pb2 as view
from storage.queries import Signal

_MESSAGES = {
    Signal.TRACES: view.ExportTraceServiceRequest.DESCRIPTOR,
    Signal.LOGS: view.ExportLogsServiceRequest.DESCRIPTOR,
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """Requests of one signal as columns.

    `columns` has one row per decodable request; `rows[i]` is the row of body i, or -1 when body i is malformed.
    """

    columns: pa.RecordBatch
    rows: list[int]


class Decoder:
    """Decodes export requests. Stateless after construction; may be shared by threads."""

    def __init__(self) -> None:
        pool = ptars.HandlerPool([view.DESCRIPTOR])
        self._handlers = {signal: pool.get_for_message(descriptor) for signal, descriptor in _MESSAGES.items()}

    def decode(self, signal: Signal, bodies: Sequence[bytes]) -> Decoded:
        """Decode bodies of one signal; together they must stay under 1 GiB (32-bit Arrow offsets)."""
        handler = self._handlers[signal]
        try:
            return Decoded(handler.list_to_record_batch(list(bodies)), list(range(len(bodies))))
        except ValueError:
            good = [body for body in bodies if self._is_wellformed(signal, body)]
        columns = handler.list_to_record_batch(good)
        rows, next_row = [], 0
        kept = iter(good)
        expected = next(kept, None)
        for body in bodies:
            if body is expected:
                rows.append(next_row)
                next_row += 1
                expected = next(kept, None)
            else:
                rows.append(-1)
        return Decoded(columns, rows)

    def _is_wellformed(self, signal: Signal, body: bytes) -> bool:
        try:
            self._handlers[signal].list_to_record_batch([body])
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the items (spans or log records) of decoded requests lie.

    `items` is the flat struct array of all of them; the index arrays lead from an item to its scope group, from a
    scope group to its resource group, and from a resource group to its request.
    """

    resources: pa.StructArray
    scopes: pa.StructArray
    items: pa.StructArray
    scope_of_item: NDArray[np.int64]
    resource_of_scope: NDArray[np.int64]
    request_of_resource: NDArray[np.int64]

    @property
    def request_of_item(self) -> NDArray[np.int64]:
        """Row of the request each item came in."""
        return self.request_of_resource[self.resource_of_scope[self.scope_of_item]]


def layout(signal: Signal, columns: pa.RecordBatch) -> Layout:
    """Unnest request → resource → scope → item without copying the items."""
    scopes_field, items_field = ("scope_spans", "spans") if signal is Signal.TRACES else ("scope_logs", "log_records")
    resource_lists = columns.column(0)
    resources = _elements(resource_lists)
    scope_lists = resources.field(scopes_field)
    scopes = _elements(scope_lists)
    item_lists = scopes.field(items_field)
    return Layout(
        resources=resources,
        scopes=scopes,
        items=_elements(item_lists),
        scope_of_item=_parents(item_lists),
        resource_of_scope=_parents(scope_lists),
        request_of_resource=_parents(resource_lists),
    )


def _elements(lists: pa.ListArray) -> pa.StructArray:
    """Return `lists.flatten()`, at a twentieth of its cost where no list is null and all are there from the first."""
    if len(lists) == 0 or lists.null_count or lists.offset:
        return lists.flatten()
    values, first, last = lists.values, lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    return values if last - first == len(values) else values.slice(first, last - first)


def _parents(lists: pa.ListArray) -> NDArray[np.int64]:
    """Index of the list that each flattened element belongs to."""
    lengths = np.diff(lists.offsets.to_numpy())
    return np.repeat(np.arange(len(lists), dtype=np.int64), lengths)
