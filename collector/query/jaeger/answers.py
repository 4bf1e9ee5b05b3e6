"""Answers in Jaeger's shapes: the v1 envelope, v3 objects, errors as text/plain, the `traceresponse` header.

Source: jaeger `jaegerquery/internal/http_handler.go`, `apiv3/http_gateway.go`, `trace_response_handler.go`.
"""

import json
import secrets
import zlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from collector.query.jaeger.parameters import BadRequest
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable

_RETRY_AFTER = "2"
_WORTH_COMPRESSING = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class NotFound(Exception):
    """There is no such trace; the message says so."""


class Unsupported(Exception):
    """What Jaeger answers with 500 when the deployment lacks a part; the message is Jaeger's."""


class TooMuch(Exception):
    """The answer would be larger than the server is ready to build."""


class TooLarge(Exception):
    """The request's body is over the limit."""


def json_answer(body: bytes, request: Request) -> Response:
    """Return JSON; indented when `prettyPrint` is given and not "false", gzipped when large and wanted.

    Call it on a thread of the pool: compressing takes some 6 ms per MB.
    """
    wanted = request.query_params.get("prettyPrint", "")
    if wanted and wanted != "false":
        body = json.dumps(orjson.loads(body), indent=4, ensure_ascii=False).encode()
    headers = {"Vary": "Accept-Encoding", **trace_response()}
    if len(body) >= _WORTH_COMPRESSING and _takes_gzip(request):
        # A trace shrinks to a fifteenth; higher levels take twice the time for little.
        body = zlib.compress(body, level=1, wbits=_GZIP)
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


def _takes_gzip(request: Request) -> bool:
    """Tell whether the client lists gzip, and not as refused (`q=0`)."""
    for offer in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, weight = offer.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return not weight or weight.strip("0.") != ""
    return False


def envelope(data: Any, errors: Sequence[dict[str, Any]] | None = None, total: int = 0) -> bytes:
    """Return the object that every v1 answer stands in: always all five members."""
    return orjson.dumps({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors})


def not_found_page() -> Response:
    """Return what any unknown path under /api is answered with."""
    return _text("404 page not found", 404)


def trace_response() -> dict[str, str]:
    """Return the header that names the trace of this request: a fresh id, not sampled, because none is recorded."""
    return {"traceresponse": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"}


class V1Route(APIRoute):
    """A route whose errors stand in the v1 envelope."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the endpoint."""
        return _with_errors(super().get_route_handler(), _v1_error)


class V3Route(APIRoute):
    """A route whose errors are `{"error": {"httpCode": …, "message": …}}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the endpoint."""
        return _with_errors(super().get_route_handler(), _v3_error)


_STATUS = {
    BadRequest: 400,
    NotFound: 404,
    TooLarge: 413,
    TooMuch: 422,
    QueryLimitExceeded: 422,
    StorageRejected: 400,
    Unsupported: 500,
    StorageUnavailable: 503,
}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _with_errors(handler: _Handler, body_of: Callable[[int, str], bytes]) -> _Handler:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except tuple(_STATUS) as error:
            status = _STATUS[type(error)]
            answer = _text(body_of(status, str(error)).decode(), status)
            if status == 503:
                answer.headers["Retry-After"] = _RETRY_AFTER
            return answer

    return handle


def _v1_error(status: int, message: str) -> bytes:
    return envelope(None, [{"code": status, "msg": message}])


def _v3_error(status: int, message: str) -> bytes:
    return orjson.dumps({"error": {"httpCode": status, "message": message}})


def _text(body: str, status: int) -> Response:
    # Go's http.Error: plain text with a final newline, whatever the text is.
    headers = {"X-Content-Type-Options": "nosniff", **trace_response()}
    return Response(f"{body}\n", status, headers, "text/plain; charset=utf-8")
