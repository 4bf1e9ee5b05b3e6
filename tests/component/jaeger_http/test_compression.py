"""Large answers are compressed for those who take gzip, which every browser does."""

import gzip
import json

import httpx
import pytest

SPANS = [{"traceId": f"{7:032x}", "spanId": f"{number:016x}", "name": "run"} for number in range(1, 1001)]
DOCUMENT = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": SPANS}]}]}).encode()


def transformed(http: httpx.Client, accept: str, document: bytes = DOCUMENT) -> tuple[str | None, bytes]:
    """Return the answer's Content-Encoding and its bytes as sent."""
    headers = {"Accept-Encoding": accept}
    with http.stream("POST", "/api/transform", content=document, headers=headers) as response:
        assert (response.status_code, response.headers["vary"]) == (200, "Accept-Encoding")
        assert response.headers["content-type"] == "application/json"
        return response.headers.get("content-encoding"), b"".join(response.iter_raw())


@pytest.mark.parametrize("accept", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, GZIP;q=0.8"])
def test_a_large_answer(http: httpx.Client, accept: str) -> None:
    _, plain = transformed(http, "identity")
    coding, body = transformed(http, accept)
    assert coding == "gzip"
    assert gzip.decompress(body) == plain
    assert len(body) < len(plain) / 10


@pytest.mark.parametrize("accept", ["", "identity", "br", "gzip;q=0", "gzip; q=0.00", "x-gzip-not"])
def test_who_does_not_take_gzip(http: httpx.Client, accept: str) -> None:
    coding, body = transformed(http, accept)
    assert coding is None
    assert len(json.loads(body)["data"][0]["spans"]) == len(SPANS)


def test_a_small_answer_is_not_worth_it(http: httpx.Client) -> None:
    coding, body = transformed(http, "gzip", b'{"resourceSpans": []}')
    assert (coding, json.loads(body)["data"]) == (None, [])
