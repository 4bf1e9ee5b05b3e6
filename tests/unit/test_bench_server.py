"""What a server that is started for a benchmark or a test may rely on."""

import socket

import pytest

from collector.bench.server import keep_port
from collector.receivers.listening import open_sockets


def test_a_kept_port_is_given_to_nobody_and_a_server_may_listen_on_it_again_and_again() -> None:
    kept, endpoint = keep_port()
    host, port = kept.getsockname()
    assert endpoint == f"{host}:{port}"
    with kept:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((host, port))
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, port), 5)
            (listening,) = open_sockets(host, port)
            socket.create_connection((host, port), 5).close()
            listening.close()
