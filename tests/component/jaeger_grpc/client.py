"""A plain gRPC client that knows a method only by its descriptor, as every other language's client does."""

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


class Client:
    """Calls with a receive limit of 4 MiB, which is what Jaeger and most clients have."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel

    def one(self, service: ServiceDescriptor, method: str, request: Message) -> Any:
        return self._bind(self._channel.unary_unary, service, method)(request, timeout=30)

    def stream(self, service: ServiceDescriptor, method: str, request: Message) -> list[Any]:
        answers: Iterable[Any] = self._bind(self._channel.unary_stream, service, method)(request, timeout=30)
        return list(answers)

    @staticmethod
    def _bind(kind: Any, service: ServiceDescriptor, method: str) -> Any:
        output = service.methods_by_name[method].output_type
        return kind(
            f"/{service.full_name}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(output).FromString,
        )
