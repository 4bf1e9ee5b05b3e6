"""Parse the nested values that attributes keep as bytes, also when a string inside is not UTF-8.

Senders may cut strings in the middle of a character; such a value was stored as it came, and a strict protobuf parser
refuses it. It is read once more with a view of the same messages in which every string is declared `bytes`.
"""

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList


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


def parse_array(raw: bytes) -> ArrayValue | None:
    """Return the array, strings repaired with U+FFFD, or None when the bytes are no ArrayValue.

    None also when values are nested deeper than protobuf parsers allow (about 100 messages).
    """
    try:
        return ArrayValue.FromString(raw)
    except DecodeError:
        repaired = _repaired(_LENIENT_ARRAY, raw)
        return None if repaired is None else ArrayValue.FromString(repaired)


def parse_kvlist(raw: bytes) -> KeyValueList | None:
    """Return the kvlist, strings repaired with U+FFFD, or None when the bytes are no KeyValueList (see above)."""
    try:
        return KeyValueList.FromString(raw)
    except DecodeError:
        repaired = _repaired(_LENIENT_KVLIST, raw)
        return None if repaired is None else KeyValueList.FromString(repaired)


def _repaired(lenient: type[Message], raw: bytes) -> bytes | None:
    try:
        message = lenient.FromString(raw)
    except DecodeError:
        return None
    _repair(message)
    return message.SerializeToString()


def _repair(message: Message) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                _repair(part)
        elif field.name in ("key", "string_value"):
            setattr(message, field.name, value.decode("utf-8", "replace").encode())
