"""Answers in Jaeger's shapes: the v1 envelope, v3 objects, errors as text/plain, the `traceresponse` header.

Source: jaeger `jaegerquery/internal/http_handler.go`, `apiv3/http_gateway.go`, `trace_response_handler.go`.
"""

import json
import secrets
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request, Response

_WORTH_COMPRESSING = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


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


def v1_error(status: int, message: str) -> Response:
    """Return an error of the v1 API: in the envelope."""
    return _text(envelope(None, [{"code": status, "msg": message}]).decode(), status)


def v3_error(status: int, message: str) -> Response:
    """Return an error of the v3 API."""
    return _text(orjson.dumps({"error": {"httpCode": status, "message": message}}).decode(), status)


def _text(body: str, status: int) -> Response:
    # Go's http.Error: plain text with a final newline, whatever the text is.
    headers = {"X-Content-Type-Options": "nosniff", **trace_response()}
    return Response(f"{body}\n", status, headers, "text/plain; charset=utf-8")
