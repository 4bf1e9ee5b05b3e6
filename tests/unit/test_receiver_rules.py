"""API keys and cross-origin rules."""

import pytest

from collector.receivers.auth import ApiKeys
from collector.receivers.errors import Unauthenticated
from collector.receivers.http_cors import Cors
from collector.receivers.settings import CorsSettings

PAGE = "https://app.example.com"


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [("Bearer one", None), ("bearer  two", None), (None, "one"), ("Basic x", "two"), ("Bearer wrong", "one")],
)
def test_a_known_key_passes_in_either_header(authorization: str | None, api_key: str | None) -> None:
    ApiKeys(["one", "two"]).check(authorization, api_key)


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [(None, None), ("", ""), ("Bearer", None), ("Bearer ", None), ("Basic one", None), ("one", None), (None, "onf")],
)
def test_anything_else_is_unauthenticated(authorization: str | None, api_key: str | None) -> None:
    with pytest.raises(Unauthenticated):
        ApiKeys(["one", "two"]).check(authorization, api_key)


@pytest.mark.parametrize("keys", [[], [""], ["one", " "]])
def test_empty_keys_are_a_mistake_in_the_configuration(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        ApiKeys(keys)


def test_cors_is_off_without_settings() -> None:
    cors = Cors(None)
    assert not cors.is_on
    assert cors.headers_for(PAGE) == []
    assert cors.preflight_headers(PAGE, None) == []


def test_an_allowed_origin_is_repeated_with_credentials() -> None:
    cors = Cors(CorsSettings((PAGE, "http://*.local:*"), ("X-Tenant",), 60))
    for origin in (PAGE, "http://dev.local:8080"):
        headers = dict(cors.preflight_headers(origin, "content-type"))
        assert headers[b"access-control-allow-origin"] == origin.encode()
        assert headers[b"access-control-allow-credentials"] == b"true"
        assert headers[b"access-control-allow-methods"] == b"POST"
        assert headers[b"access-control-max-age"] == b"60"
        assert headers[b"vary"] == b"origin"
        allowed = headers[b"access-control-allow-headers"].decode().split(", ")
        assert {"content-type", "content-encoding", "authorization", "x-api-key", "x-tenant"} <= set(allowed)


@pytest.mark.parametrize("origin", ["https://evil.example.com", PAGE + ".evil.com", "http://local:1", "null"])
def test_another_origin_gets_nothing(origin: str) -> None:
    cors = Cors(CorsSettings((PAGE, "http://*.local:*")))
    assert cors.headers_for(origin) == cors.preflight_headers(origin, None) == [(b"vary", b"origin")]


def test_every_origin_may_be_allowed_but_then_without_credentials() -> None:
    cors = Cors(CorsSettings(("*",), ("*",)))
    headers = dict(cors.preflight_headers("http://any", "x-one, x-two"))
    assert headers[b"access-control-allow-origin"] == b"*"
    assert headers[b"access-control-allow-headers"] == b"x-one, x-two"
    assert b"access-control-allow-credentials" not in headers
