"""The Export calls of OTLP/gRPC: from a message's bytes to the reply's, or to a status."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import grpc
import grpc.aio
import structlog

from collector.errors import Refused, TooLarge
from collector.otlp import metrics
from collector.pipeline.api import Ingest, Request
from collector.receivers.answers import Answers
from collector.receivers.auth import Authenticator
from collector.receivers.errors import NoPipeline, PermissionDenied, Unauthenticated, reason_of
from collector.receivers.replies import export_reply, metrics_reply
from collector.receivers.settings import GrpcSettings
from collector.receivers.status import failure_of, trailers_of
from storage.queries import Signal

Messages: TypeAlias = AsyncIterator[bytes]
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Export: TypeAlias = Callable[[Messages, Context], Awaitable[bytes]]

TRANSPORT = "grpc"
METRICS_SERVICE = "opentelemetry.proto.collector.metrics.v1.MetricsService"
STORED_SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
}
SERVICES = (*STORED_SERVICES, METRICS_SERVICE)
_LARGE_METRICS_BYTES = 2**18  # parsing more than this takes milliseconds, during which small requests would wait

_log = structlog.get_logger(__name__)


class ExportCalls(grpc.GenericRpcHandler):
    """Handlers of the Export methods. Used on one event loop; `is_draining` may be set from any thread."""

    def __init__(self, settings: GrpcSettings, ingest: Ingest, auth: Authenticator, answers: Answers) -> None:
        self.is_draining = False
        self._settings = settings
        self._ingest = ingest
        self._auth = auth
        self._answers = answers
        self._running = 0
        self._signals = {f"/{service}/Export": signal for service, signal in STORED_SERVICES.items()}
        self._handlers = {method: _handler(self._exporter(signal)) for method, signal in self._signals.items()}
        self._handlers[f"/{METRICS_SERVICE}/Export"] = _handler(self._export_metrics)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """Return the handler of a method, or one that refuses the call without reading its message."""
        handler = self._handlers.get(handler_call_details.method)
        if handler is None:
            return None
        try:
            self._admit(handler_call_details)
        except Exception as error:  # noqa: BLE001 (an edge: `failure_of` turns whatever it is into a status)
            return _refusal(error)
        return handler

    def _admit(self, call: grpc.HandlerCallDetails) -> None:
        if self.is_draining:
            raise Refused("the collector is shutting down")
        if self._running >= self._settings.max_concurrent_requests:
            raise Refused(f"{self._running} requests are being received")
        metadata = {key: value for key, value in call.invocation_metadata or () if isinstance(value, str)}
        signal = self._signals.get(call.method)
        try:
            self._auth.check(metadata.get("authorization"), metadata.get("x-api-key"))
            if signal is not None and signal in self._settings.untaken:
                raise NoPipeline(signal, self._settings.untaken[signal])
        except (NoPipeline, Unauthenticated, PermissionDenied) as error:
            if signal is not None:
                self._ingest.count_undecodable(signal, TRANSPORT, reason_of(error))
            raise

    def _exporter(self, signal: Signal) -> Export:
        async def export(_: Messages, context: Context) -> bytes:
            self._running += 1
            try:
                body = await self._read(signal, context)
                future = self._ingest.submit(Request(signal, body, TRANSPORT))
                outcome = await self._answers.outcome(future, self._settings.answer_seconds)
                if not outcome.rejected and not outcome.message:
                    return b""
                return export_reply(signal, outcome).SerializeToString()
            except Exception as error:  # noqa: BLE001 (an edge: grpc would answer UNKNOWN, which clients drop)
                return await _abort(error, context)
            finally:
                self._running -= 1

        return export

    async def _read(self, signal: Signal | None, context: Context) -> bytes:
        seconds = self._settings.read_seconds
        try:
            async with asyncio.timeout(seconds):
                body = await context.read()
        except TimeoutError:  # a call that never comes to its end would keep its place, and the memory of its message
            raise Refused(f"the message did not arrive within {seconds:g} s") from None
        if isinstance(body, bytes):
            return body
        # grpc has stopped the message at the limit and told the client so, or the client went away.
        if signal is not None:
            self._ingest.count_undecodable(signal, TRANSPORT, "too_large_or_cut_off")
            _log.debug("request_not_received", transport=TRANSPORT, signal=signal.value)
        raise TooLarge(f"a message is larger than {self._settings.max_request_bytes} bytes, or was cut off")

    async def _export_metrics(self, _: Messages, context: Context) -> bytes:
        self._running += 1
        try:
            body = await self._read(None, context)
            if len(body) > _LARGE_METRICS_BYTES:
                count = await asyncio.to_thread(metrics.count_protobuf, body)
            else:
                count = metrics.count_protobuf(body)
            return metrics_reply(count).SerializeToString()
        except Exception as error:  # noqa: BLE001 (an edge: grpc would answer UNKNOWN, which clients drop)
            return await _abort(error, context)
        finally:
            self._running -= 1


def _handler(export: Export) -> "grpc.RpcMethodHandler[bytes, bytes]":
    return grpc.stream_unary_rpc_method_handler(export)


def _refusal(error: Exception) -> "grpc.RpcMethodHandler[bytes, bytes]":
    async def refuse(_: Messages, context: Context) -> bytes:
        return await _abort(error, context)

    return _handler(refuse)


async def _abort(error: Exception, context: Context) -> bytes:
    """End a call with the status of an error; `abort` raises, so nothing is returned."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    failure = failure_of(error)
    await context.abort(failure.code, failure.message, trailers_of(failure))
    return b""
