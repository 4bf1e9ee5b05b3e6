"""Encoders from parsed OTLP/JSON values to protobuf wire bytes, one for each kind of scalar field.

An encoder takes the JSON value of a field (never None) and returns the field on the wire, tag included. A scalar that
has its default value yields nothing, as protobuf writes it, unless it is `explicit` (a oneof member, a list element).
Every encoder raises `FieldError` for a value of the wrong type.
Source: the OTLP specification, "JSON Protobuf Encoding", and proto3's JSON mapping for what that leaves open.
"""

import binascii
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from math import isinf

Encoder = Callable[[object], bytes]

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
_MAX_INT_TEXT = 40  # no 64-bit integer needs more, exponent and fraction included
_ID_LENGTHS = (0, 8, 16)  # lengths that pass for a span id, a trace id, or none
_FLOAT_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class FieldError(Exception):
    """A value that its field cannot hold. `path` is filled, innermost name first, while the error travels up."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str] = []

    def where(self) -> str:
        """Return the path as people write it, such as `resourceSpans[0].scopeSpans[0].spans[3].kind`."""
        return "".join(reversed(self.path)).removeprefix(".")


def varint(number: int) -> bytes:
    """Return a non-negative integer as a protobuf varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(number: int, wire_type: int) -> bytes:
    """Return the key that precedes a field on the wire."""
    return varint(number << 3 | wire_type)


class Prefixes(dict[int, bytes]):
    """Tag and length of a length-delimited field, by length; a dict because a call for each field costs too much."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._key = tag(number, LENGTH_DELIMITED)

    def __missing__(self, length: int) -> bytes:
        prefix = self._key + varint(length)
        if length < 1024:  # nearly all payloads are short
            self[length] = prefix
        return prefix


def kind_of(value: object) -> str:
    """Name a JSON value's type for an error message, without the value."""
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")


def string(number: int, explicit: bool) -> Encoder:
    """Encode a string field. Unpaired surrogates, which UTF-8 cannot hold, become U+FFFD."""
    prefixes = Prefixes(number)

    def encode(value: object) -> bytes:
        if type(value) is not str:
            raise FieldError(f"expected a string, got {kind_of(value)}")
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            raw = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        return prefixes[len(raw)] + raw if raw or explicit else b""

    return encode


def base64_bytes(number: int, explicit: bool) -> Encoder:
    """Encode a bytes field from base64, standard or URL-safe, padded or not."""
    prefixes = Prefixes(number)

    def encode(value: object) -> bytes:
        if type(value) is not str:
            raise FieldError(f"expected a base64 string, got {kind_of(value)}")
        text = value.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            raw = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
        except ValueError:
            raise FieldError("not base64") from None
        return prefixes[len(raw)] + raw if raw or explicit else b""

    return encode


def hex_id(number: int) -> Encoder:
    """Encode a trace or span id from hex, either case.

    Text that is not hex goes on as it is, never with the length of a valid id, so that validation rejects the one
    item and keeps the others.
    """
    prefixes = Prefixes(number)

    def encode(value: object) -> bytes:
        if type(value) is not str:
            raise FieldError(f"expected a hex string, got {kind_of(value)}")
        try:
            raw = binascii.unhexlify(value)
        except ValueError:
            raw = value.encode("utf-8", "replace")
            raw = raw + b"?" if len(raw) in _ID_LENGTHS else raw
        return prefixes[len(raw)] + raw if raw else b""

    return encode


def boolean(number: int, explicit: bool) -> Encoder:
    """Encode a bool field."""
    key = tag(number, VARINT)
    yes, no = key + b"\x01", key + b"\x00" if explicit else b""

    def encode(value: object) -> bytes:
        if type(value) is not bool:
            raise FieldError(f"expected true or false, got {kind_of(value)}")
        return yes if value else no

    return encode


def double(number: int, explicit: bool) -> Encoder:
    """Encode a double field from a number, a decimal string, or "NaN", "Infinity", "-Infinity"."""
    key = tag(number, FIXED64)
    pack = struct.Struct("<d").pack

    def encode(value: object) -> bytes:
        real = value if type(value) is float else _float(value)
        if isinf(real) and type(value) is not str:
            raise FieldError("expected a number that a double can hold")
        raw = pack(real)
        return key + raw if explicit or raw != b"\0" * 8 else b""

    return encode


def integer(
    number: int, explicit: bool, low: int, high: int, layout: str = "", beyond: Encoder | None = None
) -> Encoder:
    """Encode an integer field of range [low, high]: a varint, or fixed-width by a struct `layout`.

    JSON numbers outside of the range go to the encoder `beyond`, if there is one.
    """
    if layout:
        pack = struct.Struct(layout).pack
        key = tag(number, FIXED64 if len(pack(0)) == 8 else FIXED32)
    else:
        pack = None
        key = tag(number, VARINT)

    def encode(value: object) -> bytes:
        whole = value if type(value) is int else _integer(value)
        if not low <= whole <= high:
            if beyond is not None and type(value) is not str:
                return beyond(value)
            raise FieldError("integer out of range")
        if not whole and not explicit:
            return b""
        return key + (pack(whole) if pack is not None else varint(whole & 0xFFFF_FFFF_FFFF_FFFF))

    return encode


def enum(number: int, explicit: bool, values: Mapping[str, int]) -> Encoder:
    """Encode an enum field from its number, known or not, or (tolerated) its name."""
    encode_number = integer(number, explicit, -(2**31), 2**31 - 1)

    def encode(value: object) -> bytes:
        if type(value) is str and value in values:
            return encode_number(values[value])
        try:
            return encode_number(value)
        except FieldError:
            raise FieldError(f"expected an enum number, got {kind_of(value)} that is none") from None

    return encode


def _integer(value: object) -> int:
    """Return a JSON number or decimal string as an integer; 1.5e3 and "1.5e3" are 1500."""
    if type(value) is str and len(value) <= _MAX_INT_TEXT and value.isascii() and value == value.strip():
        if value.removeprefix("-").isdigit():
            return int(value)
        try:
            number = Decimal(value.replace("_", "?"))  # Decimal would read over underscores
        except InvalidOperation:
            raise FieldError("expected an integer, got another string") from None
        if number.is_finite() and number.adjusted() < _MAX_INT_TEXT and number == number.to_integral_value():
            return int(number)
    elif type(value) is float and value.is_integer():
        return int(value)
    raise FieldError(f"expected an integer, got {kind_of(value)} that is none")


def _float(value: object) -> float:
    """Return a JSON value as a double; numbers beyond its range are an error, not infinity."""
    if type(value) is str and value in _FLOAT_WORDS:
        return _FLOAT_WORDS[value]
    try:
        if type(value) is int or (type(value) is str and value[-1:].isdigit() and "_" not in value):
            number = float(value)
            if not isinf(number):
                return number
    except (ValueError, OverflowError):
        pass
    raise FieldError(f"expected a number, got {kind_of(value)} that is none")
