"""What the TLS files of an exporter hold: whom to trust, and what to show the receiver."""

import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from collector.renewal import RenewedFiles, UnusableFiles, load_chain


@dataclass(frozen=True, slots=True)
class ClientTlsSettings:
    """PEM files. Without `ca_file` the system's certificates are trusted; without `key_file` the key is in `cert_file`.

    Changed files are looked for at most every `reload_seconds`; 0: never.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    reload_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class LoadedClientTls:
    """What the files held at one moment; certificates and key belong together."""

    context: ssl.SSLContext
    ca: bytes | None  # PEM, like the next two
    certificates: bytes | None
    key: bytes | None = field(repr=False)
    expires: datetime | None


class ClientTlsFiles(RenewedFiles[LoadedClientTls]):
    """Those of one exporter, asked for at each request."""

    def __init__(self, settings: ClientTlsSettings) -> None:
        """Load the files. Raises: UnusableFiles."""
        files = {"ca_file": settings.ca_file, "cert_file": settings.cert_file, "key_file": settings.key_file}
        super().__init__(files, lambda: _load(settings), settings.reload_seconds)


def _load(settings: ClientTlsSettings) -> LoadedClientTls:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        ca = settings.ca_file.read_bytes() if settings.ca_file else None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UnusableFiles(f"TLS file {settings.ca_file} cannot be used: {error}") from error
    if settings.cert_file is None:
        return LoadedClientTls(context, ca, None, None, None)
    chain = load_chain(context, settings.cert_file, settings.key_file or settings.cert_file)
    return LoadedClientTls(context, ca, chain.certificates, chain.key, chain.expires)
