"""Listening sockets, with errors that people understand."""

import errno
import socket

from collector.receivers.errors import ListenError

BACKLOG = 1024
_NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host ("localhost" is 127.0.0.1 and, where there is IPv6, ::1), on one port.

    "0.0.0.0" and "::" both are every interface, in IPv4 and, where there is IPv6, in that, as for grpc and Collectors.
    Port 0 picks a free one. Raises: ListenError.
    """
    if host not in {"0.0.0.0", "::"}:  # noqa: S104 - the user asked for it
        return _open_all(host, port)
    try:
        return [_open(socket.AF_INET6, ("::", port))]
    except OSError as error:
        if error.errno in _NO_IPV6:
            return _open_all("0.0.0.0", port)  # noqa: S104 - the user asked for it
        raise _cannot(host, port, error) from error


def _open_all(host: str, port: int) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot(host, port, error) from error
    sockets: list[socket.socket] = []
    addresses = {(family, address[0]): address for family, _, _, _, address in found}
    for (family, _), address in sorted(addresses.items(), key=lambda item: item[0][0] != socket.AF_INET):
        try:
            sockets.append(_open(family, (address[0], port, *address[2:])))
        except OSError as error:
            if sockets and error.errno in _NO_IPV6:
                continue  # a machine without IPv6 still names ::1
            _close(sockets)
            raise _cannot(host, port, error) from error
        port = sockets[0].getsockname()[1]
    return sockets


def check_free(host: str, port: int) -> None:
    """Return when a port could be listened on now. Raises: ListenError."""
    _close(open_sockets(host, port))


def _cannot(host: str, port: int, error: OSError) -> ListenError:
    return ListenError(f"cannot listen on {host}:{port}: {error.strerror or error}")


def _open(family: int, address: tuple[object, ...]) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        opened.bind(address)
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()
