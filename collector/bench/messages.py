"""The load's OTLP messages: what one exporter of a small shop with ten services would send.

Every message is built once, from a seed, as a protobuf object; `collector.bench.templates` turns it into bytes that are
made unique before each send. Times are placed in the five seconds before `REFERENCE_UNIX_NANO`.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REFERENCE_UNIX_NANO = 1_800_000_000 * 10**9
SPREAD_NS = 5 * 10**9  # an SDK exports every five seconds
SPANS_PER_TRACE = 16
USERS = 10_000
UNIQUE_TEXT_CHARS = 8  # the last characters of `request.id`, patched before each send

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
SERVICES = (
    "gateway", "orders", "inventory", "payments", "shipping",
    "accounts", "search", "catalog", "recommendations", "notifications",
)  # fmt: skip

# One trace: (parent, which of the request's four services, kind), parents before children.
TREE = (
    (None, 0, SERVER), (0, 0, INTERNAL), (1, 0, CLIENT), (2, 1, SERVER),
    (3, 1, INTERNAL), (4, 1, CLIENT), (4, 1, CLIENT), (0, 0, CLIENT),
    (7, 2, SERVER), (8, 2, INTERNAL), (9, 2, CLIENT), (10, 3, SERVER),
    (11, 3, CLIENT), (11, 3, PRODUCER), (13, 1, CONSUMER), (14, 1, INTERNAL),
)  # fmt: skip
SERVICES_PER_REQUEST = 4
MESSAGES = ("order accepted", "cache miss", "payment authorised", "stock reserved", "retrying upstream", "mail queued")


@dataclass(frozen=True, slots=True)
class _Placed:
    """A span of a trace under construction: whose it is and when it runs."""

    span_id: bytes
    service: int
    start: int
    duration: int


def trace_request(seed: int, spans: int, agentic: float = 0.0) -> ExportTraceServiceRequest:
    """Return a request of `spans` spans: traces of 16 over four services, or single-span traces below 16.

    10 attributes a span, 8 a resource, an event on 10 %, an error on 2 %. On the share `agentic` of
    the traces every span also carries what an agent framework would write.
    """
    rng = random.Random(seed)  # noqa: S311 (a repeatable load)
    request = ExportTraceServiceRequest()
    scopes = [_scope(request.resource_spans.add(), _service(seed, k)) for k in range(_services_used(spans))]
    placed = islice(_traces(rng, len(scopes)), spans)
    for trace_id, parent, place, kind in placed:
        span = scopes[place.service].spans.add(trace_id=trace_id, span_id=place.span_id, parent_span_id=parent)
        _fill_span(rng, span, _service(seed, place.service), kind, place)
        if trace_id[0] < 256 * agentic:
            _agent_attributes(rng, span, kind)
    return request


def logs_request(seed: int, records: int) -> ExportLogsServiceRequest:
    """Return a request of `records` log records over four services; four in five belong to a span."""
    rng = random.Random(seed)  # noqa: S311 (a repeatable load)
    request = ExportLogsServiceRequest()
    for k in range(SERVICES_PER_REQUEST):
        scope = request.resource_logs.add()
        _resource(scope.resource, _service(seed, k))
        logs = scope.scope_logs.add()
        logs.scope.name = "shop.logging"
        for _ in range(records // SERVICES_PER_REQUEST):
            _fill_record(rng, logs.log_records.add())
    return request


def _services_used(spans: int) -> int:
    return SERVICES_PER_REQUEST if spans >= SPANS_PER_TRACE else 1


def _service(seed: int, place: int) -> str:
    return SERVICES[(seed + (0, 1, 3, 6)[place]) % len(SERVICES)]


def _scope(resource_spans: Any, service: str) -> Any:
    _resource(resource_spans.resource, service)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "shop.instrumentation"
    scope_spans.scope.version = "1.4.0"
    return scope_spans


def _resource(resource: Any, service: str) -> None:
    for key, value in (
        ("service.name", service),
        ("service.version", "1.2.3"),
        ("service.instance.id", f"{service}-7f9c"),
        ("host.name", f"host-{SERVICES.index(service) % 3}"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "1.45.0"),
    ):
        resource.attributes.add(key=key).value.string_value = value


def _traces(rng: random.Random, services: int) -> Iterator[tuple[bytes, bytes, _Placed, int]]:
    """Yield (trace id, parent span id, place, kind) without end, parents before children."""
    tree = TREE if services == SERVICES_PER_REQUEST else TREE[:1]
    while True:
        trace_id = rng.randbytes(16)
        turn = rng.randrange(services)
        spans: list[_Placed] = []
        for parent, slot, kind in tree:
            above = None if parent is None else spans[parent]
            start, duration = _interval(rng, above)
            spans.append(_Placed(rng.randbytes(8), (slot + turn) % services, start, duration))
            yield trace_id, b"" if above is None else above.span_id, spans[-1], kind


def _interval(rng: random.Random, above: _Placed | None) -> tuple[int, int]:
    """Return (start, duration) in ns: within the parent, or a log-normal root with a median of 80 ms."""
    if above is not None:
        start = above.start + int(above.duration * rng.uniform(0.01, 0.3))
        return start, int((above.start + above.duration - start) * rng.uniform(0.3, 0.95))
    duration = min(int(rng.lognormvariate(math.log(80e6), 0.8)), 4 * 10**9)
    return REFERENCE_UNIX_NANO - duration - rng.randrange(SPREAD_NS - duration), duration


def _fill_span(rng: random.Random, span: Any, service: str, kind: int, place: _Placed) -> None:
    route = rng.randrange(4)
    verb = {INTERNAL: "compute", SERVER: "GET", CLIENT: "POST", PRODUCER: "publish", CONSUMER: "process"}[kind]
    span.name = f"{verb} /{service}/{'abcd'[route % (1 if kind > CLIENT else 4)]}"
    span.kind = kind
    span.flags = 0x101
    span.start_time_unix_nano = place.start
    span.end_time_unix_nano = place.start + place.duration
    failed = rng.random() < 0.02
    _attributes(rng, span, route, failed)
    if failed:
        span.status.code = 2
        span.status.message = "upstream timed out"
    if rng.random() < 0.1:
        event = span.events.add(name="exception" if failed else "cache.lookup")
        event.time_unix_nano = place.start + 1 + place.duration // 2
        event.attributes.add(key="exception.type" if failed else "cache.key").value.string_value = "TimeoutError"


def _attributes(rng: random.Random, item: Any, route: int, failed: bool) -> None:
    texts = (
        ("http.request.method", rng.choice(("GET", "POST"))),
        ("http.route", f"/api/v{route}/items/{rng.randrange(5)}"),
        ("server.address", f"host-{rng.randrange(10)}"),
        ("user.id", f"user-{rng.randrange(USERS)}"),
        ("request.id", rng.randbytes(6).hex()),
        (
            "user_agent.original",
            f"Mozilla/5.0 (X11; Linux x86_64; rv:14{rng.randrange(8)}.0) Gecko/20100101 Firefox/140",
        ),
    )
    for key, text in texts:
        item.attributes.add(key=key).value.string_value = text
    status = 504 if failed else rng.choice((200, 200, 404))
    item.attributes.add(key="http.response.status_code").value.int_value = status
    item.attributes.add(key="server.port").value.int_value = 8080
    item.attributes.add(key="load").value.double_value = round(rng.random(), 3)
    item.attributes.add(key="cache.hit").value.bool_value = rng.random() < 0.5


def _agent_attributes(rng: random.Random, span: Any, kind: int) -> None:
    operation = {SERVER: "invoke_agent", CLIENT: "chat"}.get(kind, "execute_tool")
    texts = [("gen_ai.operation.name", operation), ("gen_ai.agent.name", f"agent-{rng.randrange(8)}")]
    if operation == "chat":
        texts.append(("gen_ai.request.model", "large-1"))
        for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
            span.attributes.add(key=key).value.int_value = rng.randrange(2000)
    if operation == "execute_tool":
        texts.append(("gen_ai.tool.name", rng.choice(("lookup", f"transfer_to_agent-{rng.randrange(8)}"))))
    for key, text in texts:
        span.attributes.add(key=key).value.string_value = text


def _fill_record(rng: random.Random, record: Any) -> None:
    record.time_unix_nano = REFERENCE_UNIX_NANO - rng.randrange(1, SPREAD_NS)
    record.observed_time_unix_nano = record.time_unix_nano + rng.randrange(1, 10**6)
    number, text = rng.choices(((9, "INFO"), (13, "WARN"), (17, "ERROR")), (90, 8, 2))[0]
    record.severity_number, record.severity_text = number, text
    record.body.string_value = f"{rng.choice(MESSAGES)} for user-{rng.randrange(USERS)} in {rng.randrange(900)} ms"
    if rng.random() < 0.8:
        record.trace_id, record.span_id, record.flags = rng.randbytes(16), rng.randbytes(8), 1
    _attributes(rng, record, rng.randrange(4), number == 17)
