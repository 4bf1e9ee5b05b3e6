"""Which addresses a host stands for."""

import socket
from pathlib import Path

import pytest

from collector.receivers.errors import ListenError
from collector.receivers.listening import open_sockets

HAS_IPV6 = Path("/proc/net/if_inet6").exists() and bool(Path("/proc/net/if_inet6").read_text())
V6 = ["::1"] if HAS_IPV6 else []


@pytest.mark.parametrize(
    ("host", "clients"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1", *V6]),
        ("::", ["127.0.0.1", *V6]),
        ("localhost", ["127.0.0.1"]),
        *([("::1", ["::1"])] if HAS_IPV6 else []),
    ],
)
def test_clients_reach_every_address_of_a_host(host: str, clients: list[str]) -> None:
    sockets = open_sockets(host, 0)
    for client in clients:
        socket.create_connection((client, sockets[0].getsockname()[1]), 5).close()
    for each in sockets:
        each.close()


@pytest.mark.parametrize("first", ["127.0.0.1", "0.0.0.0", *(["::"] if HAS_IPV6 else [])])
def test_a_port_that_is_taken_is_said(first: str) -> None:
    (taken,) = open_sockets(first, 0)
    port = taken.getsockname()[1]
    with pytest.raises(ListenError, match=f"cannot listen on {first}:{port}: Address already in use"):
        open_sockets(first, port)
    taken.close()
