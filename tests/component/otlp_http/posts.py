"""A client of the OTLP/HTTP receiver: posts, bytes as they are, and the statuses that come back."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.pipeline.api import Ingest
from collector.receivers.auth import ApiKeys
from collector.receivers.otlp_http import OtlpHttpReceiver
from collector.receivers.settings import HttpSettings

PROTOBUF, JSON = "application/x-protobuf", "application/json"
LIMIT = 2**20
SPAN = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "json"}
JSON_TRACES = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]}).encode()
HEAD = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def settings(**changes: object) -> HttpSettings:
    return HttpSettings(**{"host": "127.0.0.1", "port": 0, "max_request_bytes": LIMIT, **changes})  # type: ignore[arg-type]


@contextmanager
def serving(
    ingest: Ingest, wanted: HttpSettings | None = None, auth: ApiKeys | None = None
) -> Iterator[tuple[OtlpHttpReceiver, httpx.Client]]:
    receiver = OtlpHttpReceiver(wanted or settings(), ingest, auth)
    receiver.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{receiver.port}", timeout=60) as client:
            yield receiver, client
    finally:
        receiver.close(1.0)


def post(client: httpx.Client, path: str, body: bytes, content_type: str = PROTOBUF, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=body, headers={"content-type": content_type, **names})


def raw(port: int, *parts: bytes, wait: float = 0.0) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(wait)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


def status_in(response: httpx.Response) -> Status:
    """Parse the body as a google.rpc.Status in the encoding it says it has."""
    if response.headers["content-type"] == JSON:
        return json_format.Parse(response.content, Status())
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def assert_retryable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert 1 <= int(response.headers["retry-after"]) <= 3
    status = status_in(response)
    assert status.code == 14
    assert status.details[0].Unpack(RetryInfo())
