"""The OTLP/HTTP application (ASGI): from a request to its reply, or to a google.rpc.Status in the same encoding."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import Message

from collector.errors import Refused, Rejected
from collector.otlp import metrics
from collector.otlp.json import to_protobuf
from collector.pipeline.api import Ingest, Request
from collector.receivers.answers import Answers
from collector.receivers.auth import Authenticator
from collector.receivers.errors import (
    MethodNotAllowed,
    NoPipeline,
    PermissionDenied,
    Unauthenticated,
    UnknownPath,
    UnsupportedMediaType,
    reason_of,
)
from collector.receivers.http_body import BodyReader, Disconnected, Receive
from collector.receivers.http_coding import decoder_for
from collector.receivers.http_cors import Cors
from collector.receivers.replies import Encoding, encode, export_reply, failure_body, metrics_reply
from collector.receivers.settings import HttpSettings
from collector.receivers.status import failure_of, headers_of
from storage.queries import Signal

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Result = TypeVar("Result")

TRANSPORT = "http"
_LARGE_BYTES = 2**16  # converting more than this takes milliseconds, during which small requests would wait
_MEDIA_TYPES = {
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/protobuf": Encoding.PROTOBUF,
    "application/json": Encoding.JSON,
}


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    encoding: Encoding
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class HttpApp:
    """Serves the export paths. Used on one event loop; `is_draining` may be set from any thread."""

    def __init__(self, settings: HttpSettings, ingest: Ingest, auth: Authenticator, workers: Executor) -> None:
        self.is_draining = False
        self._settings = settings
        self._ingest = ingest
        self._auth = auth
        self._workers = workers
        self._cors = Cors(settings.cors)
        self._reader = BodyReader(settings.max_request_bytes, settings.max_receiving_bytes, settings.body_seconds)
        self._answers: Answers | None = None
        self._running = 0
        self._paths: dict[str, Signal | None] = {
            settings.traces_path: Signal.TRACES,
            settings.logs_path: Signal.LOGS,
            settings.metrics_path: None,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. ASGI: only "http" scopes; anything unexpected is answered as retryable."""
        headers = _combined(scope["headers"])
        origin = headers.get("origin")
        if self._cors.is_on and scope["method"] == "OPTIONS" and scope["path"] in self._paths:
            preflight = self._cors.preflight_headers(origin, headers.get("access-control-request-headers"))
            await self._send(send, _Reply(204, Encoding.JSON, b"", preflight))
            return
        encoding = _MEDIA_TYPES.get(headers.get("content-type", "").partition(";")[0].strip().lower())
        self._running += 1
        try:
            reply = await self._export(scope, headers, encoding, receive)
        except Disconnected:
            return
        except asyncio.CancelledError:  # grace is over; uvicorn would answer 500, which clients drop
            reply = _failed(Refused("the collector is shutting down"), encoding)
        except Exception as error:  # noqa: BLE001 (an edge: uvicorn would answer 500, which clients drop)
            reply = _failed(error, encoding)
        finally:
            self._running -= 1
        reply.headers.extend(self._cors.headers_for(origin))
        await self._send(send, reply)

    async def _export(
        self, scope: Scope, headers: Mapping[str, str], encoding: Encoding | None, receive: Receive
    ) -> _Reply:
        self._admit(scope)
        signal = self._paths[scope["path"]]
        with self._counting(signal):
            self._auth.check(headers.get("authorization"), headers.get("x-api-key"))
            if signal is not None and signal in self._settings.untaken:
                raise NoPipeline(signal, self._settings.untaken[signal])
            if encoding is None:
                raise UnsupportedMediaType(headers.get("content-type", ""))
            decoder = decoder_for(headers.get("content-encoding", ""))
            self._reader.check_declared(headers.get("content-length"))
            async with self._reader.reading(receive, decoder) as body:
                if signal is None:
                    message = await self._turn_metrics_away(encoding, body)
                    return _Reply(200, encoding, encode(message, encoding))
                request = await self._protobuf(signal, encoding, body)
        message = await self._store(signal, request)
        return _Reply(200, encoding, encode(message, encoding))

    def _admit(self, scope: Scope) -> None:
        if scope["path"] not in self._paths:
            untaken = self._settings.untaken
            raise UnknownPath(scope["path"], [path for path, signal in self._paths.items() if signal not in untaken])
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST, OPTIONS" if self._cors.is_on else "POST")
        if self.is_draining:
            raise Refused("the collector is shutting down")
        if self._running > self._settings.max_concurrent_requests:
            raise Refused(f"{self._running - 1} requests are being received")

    @contextmanager
    def _counting(self, signal: Signal | None) -> Iterator[None]:
        """Count a request that cannot even be handed to the pipeline, which counts all others itself."""
        try:
            yield
        except (Rejected, Unauthenticated, PermissionDenied) as error:
            if signal is not None:
                self._ingest.count_undecodable(signal, TRANSPORT, reason_of(error))
            raise

    async def _protobuf(self, signal: Signal, encoding: Encoding, body: bytes) -> bytes:
        if encoding is Encoding.PROTOBUF:
            return body
        return await self._convert(partial(to_protobuf, signal, body), len(body))

    async def _store(self, signal: Signal, body: bytes) -> Message:
        if self._answers is None:
            self._answers = Answers()
        future = self._ingest.submit(Request(signal, body, TRANSPORT))
        return export_reply(signal, await self._answers.outcome(future, self._settings.answer_seconds))

    async def _turn_metrics_away(self, encoding: Encoding, body: bytes) -> Message:
        count = metrics.count_json if encoding is Encoding.JSON else metrics.count_protobuf
        return metrics_reply(await self._convert(partial(count, body), len(body)))

    async def _convert(self, work: Callable[[], Result], size: int) -> Result:
        """Run work on a body of a size, beside the loop when it is large."""
        if size <= _LARGE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    async def _send(self, send: Send, reply: _Reply) -> None:
        headers = [(b"content-length", b"%d" % len(reply.body)), *reply.headers]
        if reply.status != 204:
            headers.insert(0, (b"content-type", reply.encoding.value.encode()))
        if self.is_draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})


def _combined(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return header fields by name; the lines of one that is repeated are one list (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _failed(error: Exception, encoding: Encoding | None) -> _Reply:
    failure = failure_of(error)
    shown = encoding or Encoding.JSON
    return _Reply(failure.http_status, shown, failure_body(failure, shown), headers_of(failure))
