"""uvicorn's WebSocket protocol, which answers every handshake."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Sends the answer to a handshake that cannot be read (a line over 8 KiB: 414 or 431), and closes.

    uvicorn 0.54 leaves it unsent, and the connection open for as long as the client likes.
    """

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
