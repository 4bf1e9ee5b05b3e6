"""Content codings: whole, in slices, of several members, damaged, cut off; never more than a piece at a time."""

import gzip
import os
import sys
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import Rejected
from collector.receivers.errors import UnsupportedEncoding
from collector.receivers.http_coding import PIECE_BYTES, decoder_for

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "identity": ("identity", bytes),
    "none": ("", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": (" X-GZIP ", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "zstd": ("zstd", zstd.compress),
}
COMPRESSED = ["gzip", "deflate", "raw deflate", "zstd"]


def decode(encoding: str, slices: list[bytes]) -> bytes:
    decoder = decoder_for(encoding)
    out = b"".join(piece for data in slices for piece in decoder.feed(data))
    decoder.finish()
    return out


@pytest.mark.parametrize("name", CODINGS)
@given(data=st.binary(max_size=300), step=st.integers(1, 50))
def test_a_body_comes_back_however_it_is_sliced(name: str, data: bytes, step: int) -> None:
    encoding, compress = CODINGS[name]
    body = compress(data)
    assert decode(encoding, [body[at : at + step] for at in range(0, len(body), step)]) == data


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_all_members_are_read(name: str) -> None:
    encoding, compress = CODINGS[name]
    body = compress(b"one") + compress(b"") + compress(b"two" * 100_000)
    assert decode(encoding, [body]) == b"one" + b"two" * 100_000
    assert decode(encoding, [body[at : at + 1] for at in range(len(body))]) == b"one" + b"two" * 100_000


@pytest.mark.parametrize("beyond", [0, 21, 100, 243, 258])
def test_a_raw_stream_that_ends_just_beyond_a_piece_is_complete(beyond: int) -> None:
    # All input is read with the first piece, and no checksum follows that would push the rest out.
    data = b"a" * (PIECE_BYTES + beyond)
    assert decode("deflate", [raw_deflate(data)]) == data


def test_zero_padding_around_gzip_members_is_skipped() -> None:
    body = gzip.compress(b"one") + bytes(7) + gzip.compress(b"two") + bytes(512)
    assert decode("gzip", [body]) == b"onetwo"


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_body_that_is_cut_off_is_rejected(name: str) -> None:
    encoding, compress = CODINGS[name]
    body = compress(os.urandom(1000))
    for length in (1, 2, len(body) // 2, len(body) - 1):
        with pytest.raises(Rejected, match="cut off"):
            decode(encoding, [body[:length]])


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_body_that_is_damaged_is_rejected(name: str) -> None:
    encoding, compress = CODINGS[name]
    with pytest.raises(Rejected):
        decode(encoding, [b"this is no compressed body at all"])
    with pytest.raises(Rejected):
        decode(encoding, [compress(b"x") + b"trailing"])


@pytest.mark.parametrize("name", COMPRESSED)
def test_an_empty_compressed_body_is_empty(name: str) -> None:
    assert decode(CODINGS[name][0], [b""]) == b""


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_bomb_is_inflated_piece_by_piece(name: str) -> None:
    encoding, compress = CODINGS[name]
    decoder = decoder_for(encoding)
    pieces = decoder.feed(compress(bytes(50 * 2**20)))
    assert [len(next(pieces)) <= PIECE_BYTES for _ in range(20)] == [True] * 20


def test_a_zstd_frame_with_a_huge_window_is_rejected() -> None:
    stream = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    unsized = stream.compress(b"x" * 2**20) + stream.flush()
    with pytest.raises(Rejected):
        decode("zstd", [unsized])


@pytest.mark.parametrize("encoding", ["br", "snappy", "gzip, gzip", "lz4"])
def test_other_codings_are_named_as_unsupported(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="use gzip, deflate, zstd"):
        decoder_for(encoding)
