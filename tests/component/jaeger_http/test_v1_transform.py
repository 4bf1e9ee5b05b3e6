"""Documents that are uploaded to be looked at in Jaeger's UI."""

import json
import socket
import time

import httpx
import pytest

from tests.component.jaeger_http.conftest import CHECKOUT
from tests.component.jaeger_http.v1_answers import data, failure
from tests.waiting import until


def test_transform_shows_what_was_uploaded(http: httpx.Client) -> None:
    (trace,) = data(http.post("/api/transform", content=CHECKOUT.read_bytes()))
    assert trace["processes"]["p3"]["serviceName"] == ""
    assert trace["spans"][0]["tags"][2] == {"key": "zeta", "type": "string", "value": "last"}


def test_transform_keeps_spans_that_stand_twice(http: httpx.Client) -> None:
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "twice"}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span, span]}]}]}
    (trace,) = data(http.post("/api/transform", json=document))
    assert [each["operationName"] for each in trace["spans"]] == ["twice", "twice"]
    assert trace["processes"] == {"p1": {"serviceName": "OTLPResourceNoServiceName", "tags": []}}


def test_transform_refuses_what_is_no_otlp(http: httpx.Client) -> None:
    for body in (b"", b"{", b"[]", json.dumps({"resourceSpans": 1}).encode()):
        code, message = failure(http.post("/api/transform", content=body))
        assert code == 400
        assert message.startswith("cannot unmarshal OTLP : ")


@pytest.mark.parametrize(
    ("trace_id", "span_id"),
    [("AAAAAAAAAAAAAAAAAAAAAQ==", "AAAAAAAAAAE="), ("zz", "2" * 16), ("1" * 32, "02"), ("0" * 32, "2" * 16), ("", "")],
)
def test_transform_refuses_what_it_could_not_show_whole(http: httpx.Client, trace_id: str, span_id: str) -> None:
    spans = [{"traceId": "1" * 32, "spanId": "2" * 16, "name": "fine"}, {"traceId": trace_id, "spanId": span_id}]
    code, message = failure(http.post("/api/transform", json={"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    assert code == 400
    assert message.startswith("cannot unmarshal OTLP : 1 of 2 spans have no traceId of 32 ")


def test_an_upload_that_breaks_off_is_no_defect(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /api/transform HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=5) as connection:
        connection.sendall(head + b"{")
        time.sleep(0.2)
    route = 'baton_http_request_seconds_count{route="/api/transform",status="499"}'
    until(lambda: route in http.get("/metrics").text)
    assert not caplog.records
