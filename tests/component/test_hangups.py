"""Clients that hang up while the engine still works for them: real servers over the real engine."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from fastapi import APIRouter

from collector.loop_thread import LoopThread
from collector.metrics import Metrics
from collector.pipeline.ledger import Ledger
from collector.query.app import build_app
from collector.query.dependencies import QueryDependencies
from collector.query.jaeger_grpc.calls import QueryCalls
from collector.query.server import QueryServer
from collector.receivers.listening import open_sockets
from collector.state import ServiceState
from exporters.jaeger.generated import storage_v2_pb2
from storage.agents import AgentStorage
from storage.clickhouse.engine import Engine
from storage.clickhouse.storage import ClickHouseStorage
from storage.errors import QueryCancelled
from tests.waiting import until

SLOW = "SELECT sleepEachRow(0.1) AS {name} FROM numbers({tenths})"
CAPABILITIES = storage_v2_pb2.DESCRIPTOR.services_by_name["Capabilities"]


class Slow:
    """Reads that take their time, and how they ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = f"read_{id(self)}"  # those of another test may still end
        self.begun = threading.Event()
        self.ends: list[str] = []

    def read(self, seconds: float) -> None:
        self.begun.set()
        try:
            self._engine.query(SLOW.format(name=self._name, tenths=round(seconds * 10)), settings={"max_block_size": 1})
        except QueryCancelled:
            self.ends.append("cancelled")
            raise
        self.ends.append("finished")

    @property
    def running(self) -> bool:
        found = self._engine.query(
            f"SELECT count() AS n FROM system.processes WHERE query LIKE 'SELECT sleepEachRow(0.1) AS {self._name} %'"
        )
        return bool(found["n"][0].as_py())


@pytest.fixture
def slow(engine: AgentStorage) -> Slow:
    assert isinstance(engine, ClickHouseStorage)
    return Slow(engine._engine)


@pytest.fixture
def server(engine: AgentStorage, slow: Slow) -> Iterator[QueryServer]:
    """The app, with a route that takes long, and the same route for writes."""
    router = APIRouter()

    @router.api_route("/slow", methods=["GET", "POST"])
    def answer(seconds: float) -> str:
        slow.read(seconds)
        return "done"

    metrics, ledger = Metrics("1"), Ledger()
    metrics.watch(ServiceState, ledger.snapshot)
    deps = QueryDependencies(engine, ledger, ServiceState, metrics, "1", routers=(router,))
    server = QueryServer(build_app(deps), open_sockets("127.0.0.1", 0), deps.stopping)
    server.start()
    yield server
    server.close()


def ask(server: QueryServer, method: str, path: str) -> socket.socket:
    """Send a request and return its connection, without waiting for the answer."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    return connection


def answered(server: QueryServer, status: int) -> bool:
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics").text
    return f'baton_http_request_seconds_count{{route="/slow",status="{status}"}} 1.0' in text


def test_a_hang_up_ends_the_read(server: QueryServer, slow: Slow) -> None:
    with ask(server, "GET", "/slow?seconds=20"):
        until(lambda: slow.running)
    started = time.monotonic()
    until(lambda: answered(server, 499))
    assert time.monotonic() - started < 10
    assert not slow.running
    assert slow.ends == ["cancelled"]


def test_who_waits_is_answered_and_may_ask_again_on_the_same_connection(server: QueryServer, slow: Slow) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as http:
        assert [http.get("/slow", params={"seconds": seconds}).json() for seconds in (0.0, 0.5, 0.0)] == ["done"] * 3


def test_requests_that_may_change_something_run_to_their_end(server: QueryServer, slow: Slow) -> None:
    with ask(server, "POST", "/slow?seconds=1"):
        assert slow.begun.wait(60)
    until(lambda: slow.ends == ["finished"])


def test_more_hang_ups_than_there_are_threads_do_not_hold_up_the_next_request(server: QueryServer, slow: Slow) -> None:
    for connection in [ask(server, "GET", "/slow?seconds=20") for _ in range(24)]:
        connection.close()
    started = time.monotonic()
    assert httpx.get(f"http://127.0.0.1:{server.port}/slow?seconds=0", timeout=15).json() == "done"
    assert time.monotonic() - started < 10


def test_a_cancelled_jaeger_call_ends_its_read(slow: Slow) -> None:
    def capabilities(_: Any) -> storage_v2_pb2.GetCapabilitiesResponse:
        slow.read(20)
        return storage_v2_pb2.GetCapabilitiesResponse()

    async def start(executor: ThreadPoolExecutor) -> tuple[grpc.aio.Server, int]:
        calls = QueryCalls(executor)
        calls.add(CAPABILITIES, dict.fromkeys((method.name for method in CAPABILITIES.methods), capabilities))
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((calls,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    with ThreadPoolExecutor(1) as executor, LoopThread("test-grpc") as thread:
        server, port = thread.call(start(executor))
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(f"/{CAPABILITIES.full_name}/{CAPABILITIES.methods[0].name}")
            running = call.future(b"")
            until(lambda: slow.running)
            running.cancel()
            until(lambda: slow.ends == ["cancelled"], 10)
        thread.call(server.stop(1.0))
