"""Content codings of request bodies, inflated in pieces so that a limit can be checked before memory is taken."""

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from collector.errors import Rejected
from collector.receivers.errors import UnsupportedEncoding

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

PIECE_BYTES = 2**18
SUPPORTED = "gzip, deflate, zstd"
_ZSTD_MAX_WINDOW_LOG = 23  # 8 MiB: what RFC 9659 lets a content coding ask for


class Decoder(Protocol):
    """Undoes one content coding. `feed` in order, then `finish`; both raise Rejected "malformed"."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what becomes of some more of the body, in pieces of at most PIECE_BYTES if it was compressed."""
        ...

    def finish(self) -> None:
        """Return when the body was complete."""
        ...


def decoder_for(content_encoding: str) -> Decoder:
    """Return a decoder for the value of a Content-Encoding header. Raises: UnsupportedEncoding."""
    make = _DECODERS.get(content_encoding.strip().lower())
    if make is None:
        raise UnsupportedEncoding(content_encoding, SUPPORTED)
    return make()


class _Identity:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        pass


class _Zlib:
    """gzip with any number of members, or deflate: a zlib stream, or the raw one that some clients send."""

    def __init__(self, window_bits: int | None) -> None:
        self._window_bits = window_bits  # None: find out from the first two bytes
        self._stream = None if window_bits is None else zlib.decompressobj(window_bits)
        self._head = b""
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        data = self._head + data
        self._head = b""
        held = False  # a full piece can leave the end of a raw stream inside zlib, with no input left to push it out
        while data or held:
            if self._stream is None or self._stream.eof:
                data = self._next_stream(data)
            if self._stream is None or not (data or held):
                return
            self._started = True
            try:
                piece = self._stream.decompress(data, PIECE_BYTES)
            except zlib.error:
                raise Rejected("malformed", "the compressed body is damaged") from None
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            held = len(piece) == PIECE_BYTES and not self._stream.eof

    def _next_stream(self, data: bytes) -> bytes:
        """Begin a stream, if the data is one; return what is to be fed to it."""
        if self._stream is not None and self._window_bits == _GZIP:
            data = data.lstrip(b"\0")  # padding between members and after the last one is allowed
            if data:
                self._stream = zlib.decompressobj(_GZIP)
        elif self._stream is not None:
            raise Rejected("malformed", "data follows the compressed body")
        elif len(data) < 2:
            self._head = data
        else:
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        return data

    def finish(self) -> None:
        if self._head or (self._started and self._stream is not None and not self._stream.eof):
            raise Rejected("malformed", "the compressed body is cut off")


class _Zstd:
    """Zstandard with any number of frames."""

    def __init__(self) -> None:
        self._frame: ZstdDecompressor | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame is None or self._frame.eof:
                self._frame = ZstdDecompressor(options={DecompressionParameter.window_log_max: _ZSTD_MAX_WINDOW_LOG})
            rest = data
            data = b""
            while True:
                try:
                    piece = self._frame.decompress(rest, PIECE_BYTES)
                except ZstdError:
                    raise Rejected("malformed", "the compressed body is damaged") from None
                rest = b""
                if piece:
                    yield piece
                if self._frame.eof:
                    data = self._frame.unused_data
                    break
                if self._frame.needs_input:
                    break

    def finish(self) -> None:
        if self._frame is not None and not self._frame.eof:
            raise Rejected("malformed", "the compressed body is cut off")


_GZIP = zlib.MAX_WBITS | 16
_DECODERS: dict[str, Callable[[], Decoder]] = {
    "": _Identity,
    "identity": _Identity,
    "gzip": lambda: _Zlib(_GZIP),
    "x-gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(None),
    "zlib": lambda: _Zlib(None),
    "zstd": _Zstd,
}
