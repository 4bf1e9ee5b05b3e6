"""The Zipkin receiver: `POST /api/v2/spans`, JSON, with the content codings and limits of OTLP/HTTP.

Answered with 202 once the spans are on disk. Source: Zipkin API v2 (zipkin2-api.yaml).
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from collector.errors import Refused, Rejected
from collector.pipeline.api import Ingest, Outcome, Request
from collector.receivers.answers import Answers
from collector.receivers.auth import Anyone, Authenticator
from collector.receivers.errors import (
    MethodNotAllowed,
    PermissionDenied,
    Unauthenticated,
    UnknownPath,
    UnsupportedMediaType,
    reason_of,
)
from collector.receivers.http_app import Scope, Send
from collector.receivers.http_body import BodyReader, Disconnected, Receive
from collector.receivers.http_coding import decoder_for
from collector.receivers.http_server import HttpServer
from collector.receivers.settings import HttpSettings
from collector.receivers.status import failure_of, headers_of
from collector.receivers.tls_files import TlsFiles
from exporters.zipkin.from_zipkin import MalformedZipkin, otlp_request
from storage.queries import Signal

TRANSPORT = "zipkin"
SPANS_PATH = "/api/v2/spans"
_log = structlog.get_logger(__name__)


class ZipkinReceiver:
    """Serves on a thread of its own. `start` and `close` once. The OTLP paths of the settings mean nothing here."""

    def __init__(self, settings: HttpSettings, ingest: Ingest, auth: Authenticator | None = None) -> None:
        self._settings = settings
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="baton-zipkin-worker")
        self._app = ZipkinApp(settings, ingest, auth or Anyone(), self._worker)
        self._server = HttpServer(settings, self._app)

    @property
    def port(self) -> int:
        """The port it listens on, 0 before `start`."""
        return self._server.port

    @property
    def tls(self) -> TlsFiles | None:
        """Its TLS files, None before `start` and for plain text."""
        return self._server.tls

    def start(self) -> None:
        """Listen. Raises: ListenError when the address cannot be had or a TLS file cannot be used."""
        self._server.start()
        _log.info("receiver_started", receiver="zipkin", host=self._settings.host, port=self.port)

    def drain(self) -> None:
        """Answer 503 to new requests; requests under way go on."""
        self._app.is_draining = True

    def close(self, grace_seconds: float = 5.0) -> None:
        """Stop listening and wait for requests under way, at most `grace_seconds`. Idempotent."""
        self.drain()
        self._server.close(grace_seconds)
        self._worker.shutdown(cancel_futures=True)


class ZipkinApp:
    """ASGI. Used on one event loop; `is_draining` may be set from any thread."""

    def __init__(self, settings: HttpSettings, ingest: Ingest, auth: Authenticator, worker: Executor) -> None:
        self.is_draining = False
        self._settings = settings
        self._ingest = ingest
        self._auth = auth
        self._worker = worker
        self._reader = BodyReader(settings.max_request_bytes, settings.max_receiving_bytes, settings.body_seconds)
        self._answers: Answers | None = None
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._running += 1
        try:
            outcome = await self._take(scope, headers, receive)
            await _send(send, 202, outcome.message.encode(), [])
        except Disconnected:
            return
        except asyncio.CancelledError:
            await _send_failure(send, Refused("the collector is shutting down"))
        except Exception as error:  # noqa: BLE001 (an edge: `failure_of` turns whatever it is into a status)
            await _send_failure(send, error)
        finally:
            self._running -= 1

    async def _take(self, scope: Scope, headers: Mapping[str, str], receive: Receive) -> Outcome:
        self._admit(scope)
        try:
            self._auth.check(headers.get("authorization"), headers.get("x-api-key"))
            if not headers.get("content-type", "application/json").startswith("application/json"):
                raise UnsupportedMediaType(headers["content-type"])
            self._reader.check_declared(headers.get("content-length"))
            async with self._reader.reading(receive, decoder_for(headers.get("content-encoding", ""))) as body:
                request = await asyncio.get_running_loop().run_in_executor(self._worker, _converted, body)
        except (Rejected, Unauthenticated, PermissionDenied) as error:
            self._ingest.count_undecodable(Signal.TRACES, TRANSPORT, reason_of(error))
            raise
        if self._answers is None:
            self._answers = Answers()
        future = self._ingest.submit(Request(Signal.TRACES, request, TRANSPORT))
        return await self._answers.outcome(future, self._settings.answer_seconds)

    def _admit(self, scope: Scope) -> None:
        if scope["path"] != SPANS_PATH:
            raise UnknownPath(scope["path"], [SPANS_PATH])
        if scope["method"] != "POST":
            raise MethodNotAllowed(scope["method"], "POST")
        if self.is_draining:
            raise Refused("the collector is shutting down")
        if self._running > self._settings.max_concurrent_requests:
            raise Refused(f"{self._running - 1} requests are being received")


def _converted(body: bytes) -> bytes:
    try:
        return otlp_request(body, time.time_ns())
    except MalformedZipkin as error:
        raise Rejected("malformed", str(error)) from error


async def _send_failure(send: Send, error: Exception) -> None:
    failure = failure_of(error)
    await _send(send, failure.http_status, failure.message.encode(), headers_of(failure))


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    fixed = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    await send({"type": "http.response.body", "body": body})
