"""`POST /api/transform`: an OTLP JSON file, as the UI uploads it, shown as Jaeger traces. Nothing is stored.

Source: jaeger `jaegerquery/internal/otlp_translator.go`. No adjusters run, and nothing is deduplicated.
"""

from time import time_ns

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from collector.errors import Rejected
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder, layout
from collector.otlp.flatten import Received, flatten
from collector.otlp.json import to_protobuf
from collector.query.jaeger.answers import envelope, json_answer
from collector.query.jaeger.errors import BadRequest, TooLarge
from exporters.jaeger.v1_json import Rendering, trace_json
from exporters.rows import SpanRow, read_spans
from storage.queries import Signal

_AS_SENT = Rendering(raw=True, service_names=False)
_IDS = "traceId of 32 and spanId of 16 hexadecimal digits, or only zeros"


def transform_router(max_bytes: int) -> APIRouter:
    """Return the route; a body over `max_bytes` is refused with 413."""
    router = APIRouter(tags=["jaeger"])
    decoder = Decoder()

    @router.post("/api/transform", summary="Show OTLP JSON as Jaeger traces")
    async def transform(request: Request) -> Response:
        body = await _body(request, max_bytes)
        return await run_in_threadpool(lambda: json_answer(transformed(decoder, body), request))

    return router


async def _body(request: Request, max_bytes: int) -> bytes:
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > max_bytes:
            raise TooLarge(f"the body is over {max_bytes} bytes")
    return bytes(received)


def transformed(decoder: Decoder, body: bytes) -> bytes:
    """Return the v1 envelope with the traces of an OTLP JSON document. Raises: BadRequest when it is none."""
    try:
        decoded = decoder.decode(Signal.TRACES, [to_protobuf(Signal.TRACES, body)])
    except Rejected as error:
        raise BadRequest(f"cannot unmarshal OTLP : {error}") from error
    received = Received(decoded.columns, np.array([time_ns()], np.uint64))
    spans = flatten(Signal.TRACES, received, Contexts())
    sent = len(layout(Signal.TRACES, decoded.columns).items)
    if sent > spans.num_rows:  # the rest cannot be stored, so it cannot be shown either
        raise BadRequest(f"cannot unmarshal OTLP : {sent - spans.num_rows} of {sent} spans have no {_IDS}")
    traces: dict[bytes, list[SpanRow]] = {}
    for row in read_spans(spans):
        traces.setdefault(row.trace_id, []).append(row)
    return envelope([orjson.Fragment(trace_json(rows, _AS_SENT)) for rows in traces.values()])
