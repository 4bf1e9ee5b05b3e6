"""What TLS files hold, and what they hold once they were renewed; for those who listen and those who connect."""

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import structlog

_log = structlog.get_logger(__name__)

_Contents = tuple[bytes | None, ...]  # small enough to compare; times of files are too coarse. None: not to be had


class UnusableFiles(Exception):
    """TLS files that do not hold what they should, or not together; the message names them."""


class Loaded(Protocol):
    """What files held at one moment."""

    @property
    def expires(self) -> datetime | None:
        """When the certificate ends, None without one."""
        ...


T = TypeVar("T", bound=Loaded)


class RenewedFiles(Generic[T]):
    """Renewed files are taken up when somebody asks, at most every `reload_seconds`, so no thread watches them.

    Files that cannot be used leave those in force that were loaded last. Thread-safe.
    """

    def __init__(self, files: Mapping[str, Path | None], load: Callable[[], T], reload_seconds: float) -> None:
        """Load the files, which have the names of their settings; `load` may raise UnusableFiles. 0 s: never again.

        Raises: UnusableFiles.
        """
        self._files = {name: path for name, path in files.items() if path is not None}
        self._load = load
        self._reload_seconds = reload_seconds
        self._looking = threading.Lock()
        self._seen = self._contents()  # before reading: what is written meanwhile is noticed
        self._loaded = load()
        self._reported: _Contents | None = None
        self._due = time.monotonic() + reload_seconds

    def current(self) -> T:
        """Return the newest contents that can be used. Never raises."""
        if self._reload_seconds and time.monotonic() >= self._due and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        return self._loaded

    def _look(self) -> None:
        self._due = time.monotonic() + self._reload_seconds
        found = self._contents()
        if found == self._seen:
            return
        try:
            loaded = self._load()
        except UnusableFiles as error:
            if found != self._reported and found == self._contents():
                self._reported = found  # one line for each way of being broken
                _log.error("tls_reload_failed", **self._names(), error=str(error))
            return
        if found == self._contents():  # else somebody still writes: the next look takes all of it
            self._loaded, self._seen, self._reported = loaded, found, None
            expires = {"expires": loaded.expires.isoformat()} if loaded.expires else {}
            _log.info("tls_reloaded", **self._names(), **expires)

    def _contents(self) -> _Contents:
        return tuple(_content(path) for path in self._files.values())

    def _names(self) -> dict[str, str]:
        return {name: str(path) for name, path in self._files.items()}


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate with its chain and its key, PEM; they belong together."""

    certificates: bytes
    key: bytes = field(repr=False)
    expires: datetime


def load_chain(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> Chain:
    """Load a certificate and its key, into a context too. Raises: UnusableFiles."""
    from cryptography import x509  # noqa: PLC0415 (a tenth of a second that only TLS is worth)

    try:
        context.load_cert_chain(cert_file, key_file, password="")  # never asks on a terminal
        certificates, key = cert_file.read_bytes(), key_file.read_bytes()
        expires = x509.load_pem_x509_certificates(certificates)[0].not_valid_after_utc
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UnusableFiles(f"TLS files {cert_file}, {key_file} cannot be used: {error}") from error
    return Chain(certificates, key, expires)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
