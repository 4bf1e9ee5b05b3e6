"""The agent transfers that Jaeger's answers show, as storage knows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporters.jaeger.transfers import FindTransfers, Transfers
from storage.agents import AgentStore, TransferQuery

_MAX_TRANSFERS = 10_000


def transfers_of(storage: AgentStore) -> FindTransfers:
    """Return a function that finds the transfers of traces, by the (trace id, span id) that triggered them.

    Traces without any cost one lookup of the sort key: about 1 ms for a whole answer.
    """

    def find(trace_ids: Sequence[bytes]) -> Transfers:
        found: dict[tuple[bytes, bytes], list[Mapping[str, Any]]] = {}
        rows = storage.find_transfers(TransferQuery(trace_ids=trace_ids, limit=_MAX_TRANSFERS)).to_pylist()
        for row in reversed(rows):  # in the order in which they happened
            found.setdefault((row["trace_id"], row["trigger_span_id"]), []).append(row)
        return found

    return find
