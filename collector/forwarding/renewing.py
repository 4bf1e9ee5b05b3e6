"""A client whose TLS files may change while it runs."""

from collections.abc import Callable

from collector.forwarding.tls_files import ClientTlsFiles, LoadedClientTls
from exporters.delivery import Client, Delivered
from storage.queries import Signal


class RenewingClient:
    """Connects anew once its files are: a connection from before may be one that its receiver no longer trusts."""

    def __init__(self, files: ClientTlsFiles, connect: Callable[[LoadedClientTls], Client]) -> None:
        self._files = files
        self._connect = connect
        self._used = files.current()
        self._client = connect(self._used)

    @property
    def signals(self) -> frozenset[Signal]:
        """See `exporters.delivery.Client`."""
        return self._client.signals

    def send(self, signal: Signal, body: bytes) -> Delivered:
        """See `exporters.delivery.Client`."""
        newest = self._files.current()
        if newest is not self._used:
            self._client.close()
            self._client, self._used = self._connect(newest), newest
        return self._client.send(signal, body)

    def close(self) -> None:
        """See `exporters.delivery.Client`."""
        self._client.close()
