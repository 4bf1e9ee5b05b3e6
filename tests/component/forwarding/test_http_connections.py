"""What sending on over HTTP costs in connections and memory, whatever the receiver answers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint
from storage.queries import Signal
from tests.waiting import until


class Receiver(ThreadingHTTPServer):
    """Answers 200 with so many bytes; None: without end."""

    def __init__(self, size: int | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.size = size
        self.connections = 0
        self.hung_up = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        if self.server.size is not None:
            self.send_header("Content-Length", str(self.server.size))
            self.end_headers()
            self.wfile.write(bytes(self.server.size))
            return
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(bytes(2**16))
        except OSError:
            self.server.hung_up.set()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(size: int | None) -> Iterator[tuple[Receiver, OtlpHttpClient]]:
    with Receiver(size) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = OtlpHttpClient(HttpEndpoint(f"http://127.0.0.1:{server.server_port}", timeout_seconds=5))
        try:
            yield server, client
        finally:
            client.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("size", [0, 100])
def test_one_connection_serves_many_requests(size: int) -> None:
    with receiving(size) as (server, client):
        for _ in range(5):
            client.send(Signal.TRACES, b"")
        assert server.connections == 1


def test_an_answer_without_end_is_cut_off() -> None:
    with receiving(None) as (server, client):
        for _ in range(2):
            assert client.send(Signal.TRACES, b"").rejected == 0
        until(server.hung_up.is_set)
        assert server.connections == 2
