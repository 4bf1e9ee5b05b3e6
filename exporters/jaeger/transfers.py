"""Agent transfers in Jaeger's JSON: a log and tags on the span that caused them, so that the Jaeger UI shows them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from exporters.jaeger.ids import span_id_text, trace_id_text
from exporters.jaeger.tags import Tag, bool_tag, float_tag, string_tag

# Rows of `storage.schemas.TRANSFERS` as dictionaries, by the (trace id, span id) that triggered them.
Transfers: TypeAlias = Mapping[tuple[bytes, bytes], Sequence[Mapping[str, Any]]]

# Finds the transfers of traces.
FindTransfers: TypeAlias = Callable[[Sequence[bytes]], Transfers]

_TEXTS = (
    "kind",
    "from_agent",
    "to_agent",
    "from_agent_id",
    "to_agent_id",
    "conversation_id",
    "reason",
    "signal",
    "rule",
)


def transfer_log(transfer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the span log of a transfer: event "agent transfer", then every field that is known."""
    fields = [string_tag("event", "agent transfer")]
    fields += [string_tag(name, transfer[name]) for name in _TEXTS if transfer.get(name)]
    fields += [bool_tag(name, transfer[name]) for name in ("completed", "waits") if transfer.get(name) is not None]
    if transfer.get("confidence") is not None:
        fields.append(float_tag("confidence", transfer["confidence"]))
    if transfer.get("target_span_id"):
        fields.append(string_tag("target_span_id", span_id_text(transfer["target_span_id"])))
    if transfer.get("target_trace_id"):
        fields.append(string_tag("target_trace_id", trace_id_text(transfer["target_trace_id"])))
    return {"timestamp": transfer["time_unix_nano"] // 1000, "fields": fields}


def transfer_tags(transfers: Sequence[Mapping[str, Any]]) -> list[Tag]:
    """Return the tags of a span that caused transfers, without repetitions.

    `agent.transfer` says "from → to", `agent.transfer.kind` how.
    """
    routes = dict.fromkeys(f"{each.get('from_agent') or '?'} → {each.get('to_agent') or '?'}" for each in transfers)
    kinds = dict.fromkeys(each["kind"] for each in transfers if each.get("kind"))
    return [string_tag("agent.transfer", route) for route in routes] + [
        string_tag("agent.transfer.kind", kind) for kind in kinds
    ]
