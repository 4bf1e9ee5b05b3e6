"""Sending the demo, and saying where to look at it."""

import random
import socket
import time
from dataclasses import dataclass
from urllib.parse import quote

import urllib3
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.trace.export import SpanExporter

from collector.demo.stage import Stage
from collector.demo.story import Told, tell

_POLL_SECONDS = 0.2


class DemoFailed(Exception):
    """The demo could not be sent; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent."""

    told: tuple[Told, ...]
    spans: int
    logs: int


def send(endpoint: str, conversations: int, seed: int, now: int | None = None) -> Sent:
    """Tell the story to an OTLP/gRPC endpoint (`host:port`, `http://` in front or not). Raises `DemoFailed`.

    The story is the same for the same seed; the ids also depend on `now`, so that two runs are two stories.
    """
    endpoint = endpoint.removeprefix("http://").rstrip("/")
    _check_listening(endpoint)

    def exporters() -> tuple[SpanExporter, LogRecordExporter]:
        return OTLPSpanExporter(endpoint, insecure=True), OTLPLogExporter(endpoint, insecure=True)

    stage = Stage(exporters, random.Random(seed), now or time.time_ns())  # noqa: S311 - a story
    told = tuple(tell(stage, conversations))
    if not stage.flush():
        raise DemoFailed(f"{endpoint} did not take everything; its log says why")
    return Sent(told, stage.spans, stage.logs)


def serves_ui(query_url: str) -> bool:
    """Tell whether a Jaeger UI is served there; without one Baton has no such pages."""
    try:
        answer = urllib3.request("HEAD", f"{query_url}/search", timeout=3, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200 and answer.headers.get("content-type", "").startswith("text/html")


def wait_until_shown(sent: Sent, query_url: str, patience_seconds: float = 15.0) -> bool:
    """Wait until the links lead somewhere: a trace's transfers are looked for once it has been quiet for a moment.

    False: they are not there in time, or the query API cannot be asked.
    """
    wanted = [told for told in sent.told if told.transfers]
    if not wanted:
        return True
    newest = wanted[-1]
    deadline = time.monotonic() + patience_seconds
    while (found := _transfers(query_url, newest.trace_id)) is not None and found < newest.transfers:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return found is not None


def _transfers(query_url: str, trace_id: str) -> int | None:
    """Return how many transfers of a trace can be read, None when there is no answer to that."""
    try:
        answer = urllib3.request(
            "GET", f"{query_url}/api/v1/transfers", fields={"trace_id": trace_id}, timeout=5, retries=False
        )
        return len(answer.json()["transfers"]) if answer.status == 200 else None
    except (urllib3.exceptions.HTTPError, ValueError, LookupError, TypeError):
        return None


def describe(sent: Sent, query_url: str, ui_url: str | None, shown: bool = True) -> str:
    """Return what was sent and links to it, those of each turn first; without `ui_url` none to a Jaeger UI.

    `shown`: the transfers are there already.
    """
    lines = [f"Sent {sent.spans} spans and {sent.logs} log records of {len(sent.told)} turns:", ""]
    for told in sent.told:
        conversation = quote(told.conversation_id, safe="")
        lines.append(f"  {told.title}")
        if ui_url is not None:
            lines.append(f"    trace      {ui_url}/trace/{told.trace_id}")
        if told.transfers:
            lines.append(f"    transfers  {query_url}/api/v1/transfers?trace_id={told.trace_id}")
        lines.append(f"    timeline   {query_url}/api/v1/conversations/{conversation}")
        lines.append(f"    logs       {query_url}/api/v1/logs?trace_id={told.trace_id}")
        lines.append(f"    OTLP JSON  {query_url}/api/v1/traces/{told.trace_id}")
        lines.append("")
    everything = f"{query_url}/api/v1/traces" if ui_url is None else f"{ui_url}/search"
    lines.append(f"  everything   {everything}?service=web-frontend")
    lines.append(f"  who hands work to whom   {query_url}/api/v1/agents/graph")
    lines.append(f"  what each agent cost     {query_url}/api/v1/agents")
    if not shown:
        lines += ["", "Transfers, timelines and agents appear some seconds after the traces."]
    return "\n".join(lines)


def _check_listening(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
    except ValueError:
        raise DemoFailed(f'"{endpoint}" is not an endpoint: write host:port, such as localhost:4317') from None
    except OSError as error:
        reason = f"nothing answers at {endpoint} ({error.strerror or error})"
        raise DemoFailed(f"{reason}; start Baton first: baton serve") from error
