"""Optional API keys, checked before a body is read."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Protocol

from collector.receivers.errors import Unauthenticated


class Authenticator(Protocol):
    """Decides who may send."""

    def check(self, authorization: str | None, api_key: str | None) -> None:
        """Return when a request with these `authorization` and `x-api-key` headers may pass.

        Raises: Unauthenticated, PermissionDenied.
        """
        ...


class Anyone:
    """Lets every request pass."""

    def check(self, authorization: str | None, api_key: str | None) -> None:
        """Return."""


class ApiKeys:
    """Lets requests pass that carry one of the keys, as `authorization: Bearer KEY` or `x-api-key: KEY`."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Take the keys themselves. Raises ValueError when one is empty or there is none."""
        self._digests = [sha256(key.encode()).digest() for key in keys if key.strip() or _refuse_empty()]
        if not self._digests:
            raise ValueError("API keys are required, but none is given")

    def check(self, authorization: str | None, api_key: str | None) -> None:
        """Compare in constant time, against every key."""
        scheme, _, token = (authorization or "").partition(" ")
        key = api_key if api_key is not None else token.strip() if scheme.lower() == "bearer" else ""
        if not key:
            raise Unauthenticated("send an API key as 'authorization: Bearer KEY' or 'x-api-key: KEY'")
        digest = sha256(key.encode("latin-1", "replace")).digest()  # the bytes as they were sent: of a key, UTF-8
        if not any([hmac.compare_digest(digest, known) for known in self._digests]):  # noqa: C419 (no early end)
            raise Unauthenticated("the API key is not known")


def _refuse_empty() -> bool:
    raise ValueError("an API key is empty")
