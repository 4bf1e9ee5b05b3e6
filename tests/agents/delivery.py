"""The captured requests as exporters might deliver them, to a running Baton."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.processors.agent_transfers.model import Transfer

Request = tuple[str, bytes]  # traces or logs, body
_SENDERS = 8
_ATTEMPTS = 10
_IDS = ("trace_id", "trigger_span_id", "target_span_id", "target_trace_id")
_TEXTS = ("conversation_id", "from_agent_id", "to_agent_id", "reason")


def captured(folder: Path) -> list[Request]:
    """Return every captured request, in order of name and arrival."""
    return [(file.suffixes[-2].lstrip("."), file.read_bytes()) for file in sorted(folder.glob("*/*/*.pb"))]


def delivered(requests: Sequence[Request], mode: str, seed: int = 11) -> list[Request]:
    """Return the requests as a mode delivers them.

    shuffle: in random order; split: a span or log record each, in random order; replay: all of them twice.
    """
    found = [part for request in requests for part in _parts(*request)] if mode == "split" else list(requests)
    if mode == "replay":
        found += found
    if mode in {"shuffle", "split"}:
        random.Random(seed).shuffle(found)
    return found


def _parts(signal: str, body: bytes) -> Iterator[Request]:
    whole: Any = (ExportTraceServiceRequest if signal == "traces" else ExportLogsServiceRequest).FromString(body)
    names = ("resource_spans", "scope_spans", "spans")
    groups, scopes, items = names if signal == "traces" else ("resource_logs", "scope_logs", "log_records")
    for group in getattr(whole, groups):
        for scope in getattr(group, scopes):
            for item in getattr(scope, items):
                one = type(whole)()
                inner = getattr(one, groups).add(resource=group.resource, schema_url=group.schema_url)
                add = getattr(inner, scopes).add(scope=scope.scope, schema_url=scope.schema_url)
                getattr(add, items).append(item)
                yield signal, one.SerializeToString()


def send(endpoint: str, requests: Iterable[Request]) -> None:
    """Post everything to an OTLP/HTTP receiver, several at a time, and again when it says so."""
    limits = httpx.Limits(max_connections=_SENDERS)
    with httpx.Client(base_url=f"http://{endpoint}", limits=limits, timeout=60) as client:

        def post(request: Request) -> None:
            signal, body = request
            headers = {"content-type": "application/x-protobuf"}
            for _ in range(_ATTEMPTS):
                answer = client.post(f"/v1/{signal}", content=body, headers=headers)
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                time.sleep(float(answer.headers["retry-after"]))
            answer.raise_for_status()

        with ThreadPoolExecutor(_SENDERS) as senders:
            list(senders.map(post, requests))


def read_transfers(endpoint: str) -> list[Transfer]:
    """Return all rows of GET /api/v1/transfers, page by page."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    with httpx.Client(base_url=f"http://{endpoint}", timeout=60) as client:
        while True:
            parameters = {"limit": "500"} | ({"cursor": cursor} if cursor else {})
            page = client.get("/api/v1/transfers", params=parameters).raise_for_status().json()
            rows += page["transfers"]
            cursor = page["next_cursor"]
            if cursor is None:
                return [_transfer(row) for row in rows]


def _transfer(row: dict[str, Any]) -> Transfer:
    known = {name: row[name] for name in row if name != "time"}
    ids = {name: bytes.fromhex(row[name] or "") for name in _IDS}
    return Transfer(**known | ids | {name: row[name] or "" for name in _TEXTS})
