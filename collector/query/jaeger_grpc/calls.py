"""Binds plain Python functions to the methods of services as their descriptors declare them.

The functions read from storage, so they run on threads; the event loop only moves bytes.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Any, TypeAlias, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from collector.logging import described
from collector.query.dependencies import Authorizer
from collector.query.jaeger_grpc.errors import CallFailed, as_status, invalid
from storage.cancelling import Cancellation

Result = TypeVar("Result")
_log = structlog.get_logger(__name__)

# One request in; one message out, or an iterator of messages where the method is a stream.
Method: TypeAlias = "Callable[[Any], Message | Iterator[Message]]"
_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
_Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"


class QueryCalls(grpc.GenericRpcHandler):
    """The handlers of some services. Used on one event loop."""

    def __init__(self, executor: Executor, authorize: Authorizer | None = None) -> None:
        self._executor = executor
        self._authorize = authorize
        self._handlers: dict[str, _Handler] = {}

    def add(self, service: ServiceDescriptor, methods: Mapping[str, Method]) -> None:
        """Serve a service. Raises ValueError when the functions are not exactly the methods declared."""
        declared = {method.name: method for method in service.methods}
        if declared.keys() != methods.keys():
            raise ValueError(f"{service.full_name} declares {sorted(declared)}, given are {sorted(methods)}")
        for name, function in methods.items():
            self._handlers[f"/{service.full_name}/{name}"] = self._handler(declared[name], function)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "_Handler | None":
        """Return the handler of a method, or one that refuses a caller without a key."""
        handler = self._handlers.get(handler_call_details.method)
        if handler is None or self._authorize is None:
            return handler
        metadata = {key: text for key, text in handler_call_details.invocation_metadata or () if isinstance(text, str)}
        allowed = self._authorize(metadata.get("authorization"), metadata.get("x-api-key"))
        return handler if allowed else _REFUSAL

    def _handler(self, descriptor: MethodDescriptor, function: Method) -> _Handler:
        if descriptor.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming(descriptor, function))
        return grpc.unary_unary_rpc_method_handler(self._answering(descriptor, function))

    def _answering(
        self, descriptor: MethodDescriptor, function: Method
    ) -> Callable[[bytes, _Context], Awaitable[bytes]]:
        read = _reader(descriptor)

        def answer(body: bytes) -> bytes:
            found = function(read(body))
            assert isinstance(found, Message)
            return found.SerializeToString()

        async def call(body: bytes, context: _Context) -> bytes:
            try:
                return await self._run(Cancellation(), answer, body)
            except Exception as error:  # noqa: BLE001 (the edge: every exception becomes a status)
                return await _abort(descriptor, context, error)

        return call

    def _streaming(
        self, descriptor: MethodDescriptor, function: Method
    ) -> Callable[[bytes, _Context], AsyncIterator[bytes]]:
        read = _reader(descriptor)

        def answers(body: bytes) -> Iterator[bytes]:
            for message in function(read(body)):  # type: ignore[union-attr]  # a stream's function returns an iterator
                yield message.SerializeToString()

        async def call(body: bytes, context: _Context) -> AsyncIterator[bytes]:
            stream, cancellation = answers(body), Cancellation()
            try:
                while (message := await self._run(cancellation, next, stream, None)) is not None:
                    yield message
            except Exception as error:  # noqa: BLE001 (the edge: every exception becomes a status)
                await _abort(descriptor, context, error)

        return call

    async def _run(self, cancellation: Cancellation, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run a function on a thread; what it reads ends when the client goes away, for grpc cancels the call then."""
        loop = asyncio.get_running_loop()
        with cancellation.covering():
            context = copy_context()
        try:
            return await loop.run_in_executor(self._executor, lambda: context.run(function, *arguments))
        except asyncio.CancelledError:
            loop.run_in_executor(None, cancellation.cancel)  # not on this executor, which may be full of such reads
            raise


def _reader(descriptor: MethodDescriptor) -> Callable[[bytes], Message]:
    kind = GetMessageClass(descriptor.input_type)

    def read(body: bytes) -> Message:
        try:
            return kind.FromString(body)
        except DecodeError as error:
            raise invalid(f"the message is not a {kind.DESCRIPTOR.full_name}") from error

    return read


async def _abort(descriptor: MethodDescriptor, context: _Context, error: Exception) -> bytes:
    """End a call with the status of an error; `abort` raises, so nothing is returned."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    code, message = as_status(error)
    if not isinstance(error, CallFailed):
        _log.warning("jaeger_call_failed", method=descriptor.full_name, code=code.name, **described(error))
    await context.abort(code, message)
    return b""


async def _refuse(_: AsyncIterator[bytes], context: _Context) -> bytes:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "an API key is needed")
    return b""


_REFUSAL: _Handler = grpc.stream_unary_rpc_method_handler(_refuse)
