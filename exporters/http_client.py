"""POST with everything a durable sender needs: compression, pooled connections, the meaning of each status.

Only statuses that condemn the message itself are permanent: a wrong key or a wrong path is put right some day.
"""

import gzip
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3

from exporters.delivery import ANSWER_CHARACTERS, DeliveryDelayed, DeliveryRejected

_PERMANENT = frozenset({400, 413, 415, 422})
_MAX_ANSWER_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class HttpEndpoint:
    """Where to send. `tls` None: the system's trust store. `compression`: gzip or none."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    compression: str = "gzip"
    timeout_seconds: float = 10.0
    tls: ssl.SSLContext | None = None


class HttpClient:
    """A pool of connections. Redirects are not followed: bodies would be sent where nobody meant them to go."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint
        timeout = urllib3.Timeout(total=endpoint.timeout_seconds)
        self._pool = urllib3.PoolManager(timeout=timeout, retries=False, ssl_context=endpoint.tls)

    def post(self, path: str, media_type: str, body: bytes) -> bytes:
        """Return the body of a 2xx answer. Raises: DeliveryDelayed, DeliveryRejected."""
        headers = {**self._endpoint.headers, "Content-Type": media_type}
        if self._endpoint.compression == "gzip":
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        try:
            with closing(self._begun(path, headers, body)) as answer:  # goes back to the pool once it is read whole
                data: bytes = answer.read(_MAX_ANSWER_BYTES)
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error) from error
        if 200 <= answer.status < 300:
            return data
        status, said = f"HTTP {answer.status}", data[:ANSWER_CHARACTERS].decode("utf-8", "replace")
        if answer.status in _PERMANENT:
            raise DeliveryRejected(status, said)
        raise DeliveryDelayed(status, said, retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)))

    def _begun(self, path: str, headers: Mapping[str, str], body: bytes) -> urllib3.BaseHTTPResponse:
        url = self._endpoint.url + path
        return self._pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._pool.clear()


def _broken(error: urllib3.exceptions.HTTPError) -> DeliveryDelayed:
    """Return the failure by the kinds of its errors, in the system's words where it has any: others may quote."""
    cause = error.__cause__ or next((part for part in error.args if isinstance(part, Exception)), None)
    kinds = ": ".join(type(each).__name__ for each in (error, cause) if each is not None)
    if isinstance(cause, OSError):
        return DeliveryDelayed(f"{kinds}: {cause}")
    return DeliveryDelayed(kinds, str(error)[:ANSWER_CHARACTERS])


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, written as seconds or as a date; None without one."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())
