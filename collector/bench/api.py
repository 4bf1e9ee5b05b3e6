"""A kept-alive connection to Baton's HTTP API."""

import http.client
import json
from typing import Any


class Api:
    """Reads from one server over one connection. Not for use by two threads at once."""

    def __init__(self, endpoint: str, timeout: float = 60.0) -> None:
        """Take `host:port`; connects with the first request."""
        self._connection = http.client.HTTPConnection(endpoint, timeout=timeout)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body. Raises OSError or HTTPException when there is no answer."""
        try:
            return self._get(path)
        except (http.client.RemoteDisconnected, ConnectionError):
            return self._get(path)  # the server had closed the idle connection

    def _get(self, path: str) -> tuple[int, bytes]:
        try:
            self._connection.request("GET", path)
            with self._connection.getresponse() as response:
                return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def json(self, path: str) -> Any:
        """Return the document at a path. Raises RuntimeError for any status but 200."""
        status, body = self.get(path)
        if status != http.client.OK:
            raise RuntimeError(f"GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
