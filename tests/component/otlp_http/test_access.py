"""Who may send to the OTLP/HTTP receiver: API keys, and pages of other origins."""

from collector.receivers.auth import ApiKeys
from collector.receivers.settings import CorsSettings
from tests.component.otlp_http.posts import HEAD, JSON, JSON_TRACES, LIMIT, post, raw, serving, settings, status_in
from tests.receiving import Received

PAGE = "https://app.example.com"


def test_keys_are_asked_for_before_the_body_is_read(received: Received) -> None:
    with serving(received.ingest, auth=ApiKeys(["right"])) as (receiver, client):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"x_api_key": "wrong"}):
            answer = post(client, "/v1/traces", bytes(LIMIT + 1), **headers)
            assert (answer.status_code, status_in(answer).code) == (401, 16)
            assert answer.headers["www-authenticate"] == "Bearer"
        unfinished = HEAD + b"connection: close\r\ncontent-length: 100\r\n\r\n"
        assert raw(receiver.port, unfinished).startswith(b"HTTP/1.1 401")
        assert post(client, "/v1/traces", JSON_TRACES, JSON, authorization="Bearer right").status_code == 200
    assert received.ledger.snapshot()["traces"]["undecodable_requests"] == {"unauthenticated": 4}


def test_a_key_is_any_text(received: Received) -> None:
    with serving(received.ingest, auth=ApiKeys(["schlüssel"])) as (receiver, _):
        body = b"connection: close\r\ncontent-length: 2\r\n\r\n{}"
        assert raw(receiver.port, HEAD + "x-api-key: schlüssel\r\n".encode() + body).startswith(b"HTTP/1.1 200")
        assert raw(receiver.port, HEAD + b"x-api-key: schlussel\r\n" + body).startswith(b"HTTP/1.1 401")


def test_cors_is_off_by_default_and_configurable(received: Received) -> None:
    cors = CorsSettings((PAGE,), ("x-tenant",), 60)
    with serving(received.ingest, settings(cors=cors), ApiKeys(["right"])) as (_, client):
        preflight = client.options("/v1/traces", headers={"origin": PAGE, "access-control-request-method": "POST"})
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert preflight.headers["access-control-max-age"] == "60"
        assert "x-tenant" in preflight.headers["access-control-allow-headers"]
        stranger = client.options("/v1/traces", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers
        good = post(client, "/v1/traces", JSON_TRACES, JSON, origin=PAGE, x_api_key="right")
        refused = post(client, "/v1/traces", JSON_TRACES, JSON, origin=PAGE)
        assert (good.status_code, refused.status_code) == (200, 401)
        for response in (good, refused):
            assert response.headers["access-control-allow-origin"] == PAGE
            assert response.headers["access-control-allow-credentials"] == "true"
        assert client.options("/elsewhere", headers={"origin": PAGE}).status_code == 404
        assert client.get("/v1/traces").headers["allow"] == "POST, OPTIONS"
    with serving(received.ingest) as (_, client):
        assert "access-control-allow-origin" not in post(client, "/v1/traces", b"{}", JSON, origin=PAGE).headers
