"""What the TLS files of a listener hold, and what they hold once they were renewed."""

import ssl
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from collector.receivers.errors import ListenError
from collector.receivers.settings import TlsSettings

_log = structlog.get_logger(__name__)

_Contents = tuple[bytes | None, ...]  # small enough to compare; times of files are too coarse. None: not to be had


@dataclass(frozen=True, slots=True)
class LoadedTls:
    """What the files held at one moment; certificates and key belong together."""

    context: ssl.SSLContext
    certificates: bytes  # PEM, like the next two
    key: bytes = field(repr=False)
    client_ca: bytes | None
    expires: datetime


class TlsFiles:
    """Renewed files are taken up at a handshake or a scrape, at most every `reload_seconds`, so no thread watches them.

    Files that cannot be used leave those in force that were loaded last. Thread-safe.
    """

    def __init__(self, settings: TlsSettings) -> None:
        """Load the files. Raises: ListenError when they do not hold what they should."""
        self._settings = settings
        self._looking = threading.Lock()
        self._seen = _contents(settings)  # before reading: what is written meanwhile is noticed
        self._loaded = _load(settings)
        self._reported: _Contents | None = None
        self._due = time.monotonic() + settings.reload_seconds

    def current(self) -> LoadedTls:
        """Return the newest contents that can be used. Never raises."""
        if self._settings.reload_seconds and time.monotonic() >= self._due and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._loaded

    def _look(self) -> None:
        self._due = time.monotonic() + self._settings.reload_seconds
        found = _contents(self._settings)
        if found == self._seen:
            return
        try:
            loaded = _load(self._settings)
        except ListenError as error:
            if found != self._reported and found == _contents(self._settings):
                self._reported = found  # one line for each way of being broken
                _log.error("tls_reload_failed", **_names(self._settings), error=str(error))
            return
        if found == _contents(self._settings):  # else somebody still writes: the next look takes all of it
            self._loaded, self._seen, self._reported = loaded, found, None
            _log.info("tls_reloaded", **_names(self._settings), expires=loaded.expires.isoformat())


def _load(settings: TlsSettings) -> LoadedTls:
    from cryptography import x509  # noqa: PLC0415 (a tenth of a second that only TLS is worth)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client_ca = None
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")  # never asks on a terminal
        certificates, key = settings.cert_file.read_bytes(), settings.key_file.read_bytes()
        expires = x509.load_pem_x509_certificates(certificates)[0].not_valid_after_utc
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ListenError(f"TLS files {settings.cert_file}, {settings.key_file} cannot be used: {error}") from error
    if settings.client_ca_file is not None:
        try:
            context.load_verify_locations(settings.client_ca_file)
            client_ca = settings.client_ca_file.read_bytes()
        except OSError as error:
            raise ListenError(f"TLS file {settings.client_ca_file} cannot be used: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return LoadedTls(context, certificates, key, client_ca, expires)


def _contents(settings: TlsSettings) -> _Contents:
    files = (settings.cert_file, settings.key_file, settings.client_ca_file)
    return tuple(_content(path) for path in files if path is not None)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _names(settings: TlsSettings) -> dict[str, str]:
    names = {"cert_file": settings.cert_file, "key_file": settings.key_file, "client_ca_file": settings.client_ca_file}
    return {name: str(path) for name, path in names.items() if path is not None}
