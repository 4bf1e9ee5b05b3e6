"""Bodies that are whole and wait for their turn to be converted are memory like those that still arrive."""

import asyncio
import threading
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from collector.receivers.auth import Anyone
from collector.receivers.http_app import HttpApp
from collector.receivers.settings import HttpSettings
from collector.receivers.zipkin import ZipkinApp
from tests.receiving import Received

BODY = 2**20
App = HttpApp | ZipkinApp
APPS: dict[str, tuple[type[HttpApp] | type[ZipkinApp], bytes, int]] = {
    "/v1/traces": (HttpApp, b"{}", 200),
    "/api/v2/spans": (ZipkinApp, b"[]", 202),
}


async def post(app: App, path: str, body: bytes) -> int:
    """Return the status that answers a JSON body."""
    answers: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    await app({"path": path, "method": "POST", "headers": [(b"content-type", b"application/json")]}, receive, send)
    return int(answers[0]["status"])


@pytest.mark.parametrize("path", APPS)
def test_bodies_that_wait_to_be_converted_count_as_memory(received: Received, path: str) -> None:
    make, empty, taken = APPS[path]
    body = empty.ljust(BODY)
    settings = HttpSettings(max_receiving_bytes=BODY * 3 // 2)

    async def statuses(workers: ThreadPoolExecutor, busy: threading.Event) -> list[int]:
        app = make(settings, received.ingest, Anyone(), workers)
        first = asyncio.ensure_future(post(app, path, body))
        await asyncio.sleep(0)
        found = [await post(app, path, body)]
        busy.set()
        return [*found, await first, await post(app, path, body)]

    busy = threading.Event()
    with ThreadPoolExecutor(1) as workers:
        workers.submit(busy.wait, 10)
        assert asyncio.run(statuses(workers, busy)) == [503, taken, taken]
