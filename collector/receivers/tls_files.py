"""What the TLS files of a listener hold, and what they hold once they were renewed."""

import ssl
from dataclasses import dataclass, field
from datetime import datetime

from collector.receivers.errors import ListenError
from collector.receivers.settings import TlsSettings
from collector.renewal import RenewedFiles, UnusableFiles, load_chain


@dataclass(frozen=True, slots=True)
class LoadedTls:
    """What the files held at one moment; certificates and key belong together."""

    context: ssl.SSLContext
    certificates: bytes  # PEM, like the next two
    key: bytes = field(repr=False)
    client_ca: bytes | None
    expires: datetime


class TlsFiles(RenewedFiles[LoadedTls]):
    """Those of one listener, asked for at a handshake and a scrape."""

    def __init__(self, settings: TlsSettings) -> None:
        """Load the files. Raises: ListenError when they do not hold what they should."""
        names = ("cert_file", "key_file", "client_ca_file")
        files = {name: getattr(settings, name) for name in names}
        try:
            super().__init__(files, lambda: _load(settings), settings.reload_seconds)
        except UnusableFiles as error:
            raise ListenError(str(error)) from error


def _load(settings: TlsSettings) -> LoadedTls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client_ca = None
    chain = load_chain(context, settings.cert_file, settings.key_file)
    if settings.client_ca_file is not None:
        try:
            context.load_verify_locations(settings.client_ca_file)
            client_ca = settings.client_ca_file.read_bytes()
        except OSError as error:
            raise UnusableFiles(f"TLS file {settings.client_ca_file} cannot be used: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return LoadedTls(context, chain.certificates, chain.key, client_ca, chain.expires)
