"""Parse the nested values that attributes keep as bytes, also when a string inside is not UTF-8.

Senders may cut strings in the middle of a character; such a value was stored as it came, and a strict protobuf parser
refuses it. It is read once more with a view of the same messages in which every string is declared `bytes`.
"""

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

_M = TypeVar("_M", ArrayValue, KeyValueList)


def _lenient_class(strict: type[Message]) -> type[Message]:
    return GetMessageClass(_LENIENT_POOL.FindMessageTypeByName(strict.DESCRIPTOR.full_name))


def _lenient_pool() -> DescriptorPool:
    file = FileDescriptorProto()
    common_pb2.DESCRIPTOR.CopyToProto(file)
    for message in file.message_type:
        for field in message.field:
            if field.type == FieldDescriptorProto.TYPE_STRING:
                field.type = FieldDescriptorProto.TYPE_BYTES
    pool = DescriptorPool()
    pool.Add(file)
    return pool


_LENIENT_POOL = _lenient_pool()
_LENIENT_ARRAY = _lenient_class(ArrayValue)
_LENIENT_KVLIST = _lenient_class(KeyValueList)


# Protobuf parsers give up where more messages than this stand inside the outermost one.
_MAX_DEPTH = 100
_AROUND_VALUE = 7  # resource group, scope group, span, event, attribute, its value, and the outermost message


def parse_array(raw: bytes) -> ArrayValue | None:
    """Return the array, strings repaired with U+FFFD, or None when the bytes are no ArrayValue or nested too deep."""
    return _parsed(ArrayValue, _LENIENT_ARRAY, raw)


def parse_kvlist(raw: bytes) -> KeyValueList | None:
    """Return the kvlist, strings repaired with U+FFFD, or None when the bytes are none or nested too deep."""
    return _parsed(KeyValueList, _LENIENT_KVLIST, raw)


def is_too_deep(message: Message, around: int) -> bool:
    """Tell whether protobuf parsers refuse an answer that has this message inside `around` others."""
    level: list[Message] = [message]
    for _ in range(_MAX_DEPTH + 1 - around):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(message: Message) -> Iterator[Message]:
    for field, value in message.ListFields():
        if field.message_type is not None:
            yield from value if field.is_repeated else (value,)


def _parsed(strict: type[_M], lenient: type[Message], raw: bytes) -> _M | None:
    try:
        message = strict.FromString(raw)
    except DecodeError:
        repaired = _repaired(lenient, raw)
        if repaired is None:
            return None
        message = strict.FromString(repaired)
    return None if is_too_deep(message, _AROUND_VALUE) else message


def _repaired(lenient: type[Message], raw: bytes) -> bytes | None:
    try:
        message = lenient.FromString(raw)
    except DecodeError:
        return None
    _repair(message)
    return message.SerializeToString()


def _repair(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in ("key", "string_value"):
            setattr(message, field.name, value.decode("utf-8", "replace").encode())
    for part in _parts(message):
        _repair(part)
