"""uvicorn's HTTP/1.1 protocol with limits on what surrounds a body, which uvicorn itself does not have."""

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus

import httptools
import structlog
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.http_closing import LingeringTransport
from collector.logging import RateLimited

MAX_HEADER_BYTES = 2**16
_AROUND_HEADER = len(": \r\n")
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n"
_NOT_HTTP2 = "this port speaks HTTP/1.1, not HTTP/2: gRPC has a port of its own"

_log = RateLimited(structlog.get_logger(__name__))


class _LimitedProtocol(HttpToolsProtocol):
    """What surrounds a body is bounded, and another protocol is declined.

    A connection ends when request line and headers take longer than `_header_seconds`, and when more than
    `MAX_HEADER_BYTES` arrive without a byte of body: headers (`_too_large` answers), trailers, chunk extensions.

    A client that begins with HTTP/2 is turned away, and the log names the port that it mistook for a gRPC one. One that
    offers another protocol (`Upgrade: h2c`, as Java's own client does) is answered in HTTP/1.1: httptools would take
    its body for that protocol, and an export without its body looks like an empty one.

    A client that is answered before it has sent all of its request, on a connection that ends with the answer, gets to
    see it: see `LingeringTransport`.
    """

    _header_seconds: float
    _too_large: Callable[[bytes], Response]
    transport: LingeringTransport  # type: ignore[assignment]
    url = b""  # as much as there is; uvicorn has none before the first request
    _is_reading = False
    _timer: asyncio.TimerHandle | None = None
    _bytes_around_body = 0
    _is_refused = False
    _declines_upgrade = False
    _unread = b""  # the request that offers an upgrade, without the offer, and what came behind it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        lingering = LingeringTransport(transport, lambda: self._is_reading)
        super().connection_made(lingering)  # type: ignore[arg-type]
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.transport.stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self.transport.is_lingering:
            self.transport.close_now()
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_reading = True
        if self.cycle is not None:  # where in the data the next request begins is not known
            self._bytes_around_body = 0
        if self._timer is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        around = len(self.url) + sum(len(name) + len(value) + _AROUND_HEADER for name, value in self.headers)
        if around > MAX_HEADER_BYTES and not self._is_refused:  # all of them came at once
            self._refuse()
            self._is_refused = True
        self._stop_timer()
        if self._is_refused:
            return
        offers = self.parser.should_upgrade() and any(name == b"upgrade" for name, _ in self.headers)
        self._declines_upgrade = offers and not self._should_upgrade()
        if not self._declines_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._declines_upgrade and not self._is_refused:
            self._is_reading = False
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._bytes_around_body = 0
        if not self._is_refused:
            super().on_body(body)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_lingering:
            self.transport.discarded()
            return
        if data.startswith(_HTTP2_PREFACE):
            _log.warning("http2_on_an_http1_port", port=self.transport.get_extra_info("sockname")[1])
            self.send_400_response(_NOT_HTTP2)
            return
        self._bytes_around_body += len(data)
        while data:
            self._received, self._unread = data, b""
            super().data_received(data)
            data = self._unread
        if self._bytes_around_body > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse()

    def send_400_response(self, msg: str) -> None:
        self._is_reading = True
        super().send_400_response(msg)

    def _unsupported_upgrade_warning(self) -> None:
        """Keep the request for another parser, which does not see the offer; uvicorn ends here after an offer."""
        paused = sys.exception()
        if not self._declines_upgrade or not isinstance(paused, httptools.HttpParserUpgrade):
            return
        lines = [b"%s %s HTTP/1.1" % (self.parser.get_method(), self.url)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self._unread = b"\r\n".join(lines) + b"\r\n\r\n" + self._received[paused.args[0] :]
        self.parser = httptools.HttpRequestParser(self)

    def _refuse(self) -> None:
        if self._timer is not None and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_written(self._too_large(self.url)))
        self.transport.close()

    def _await_headers(self) -> None:
        self._timer = self.loop.call_later(self._header_seconds, self.transport.close_now)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _without_words(_: bytes) -> Response:
    return Response(status_code=431)


def limited_protocol(
    header_seconds: float, too_large: Callable[[bytes], Response] = _without_words
) -> type[asyncio.Protocol]:
    """Return the protocol class for `uvicorn.Config(http=…)`; request line and headers may take `header_seconds`.

    `too_large` answers a request whose line and headers are over the limit, by as much of its target as there is.
    """
    members = {"_header_seconds": header_seconds, "_too_large": staticmethod(too_large)}
    return type("LimitedProtocol", (_LimitedProtocol,), members)


def _written(answer: Response) -> bytes:
    """Return the last answer of a connection as it is sent."""
    status = HTTPStatus(answer.status_code)
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
    return b"HTTP/1.1 %d %s\r\n%sconnection: close\r\n\r\n%s" % (
        status,
        status.phrase.encode(),
        headers,
        bytes(answer.body),
    )
