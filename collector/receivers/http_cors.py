"""Cross-origin rules: which browser pages may post telemetry.

Source: the Fetch standard, "CORS protocol"; names of the settings as in the Collector.
"""

import re

from collector.receivers.settings import CorsSettings

Headers = list[tuple[bytes, bytes]]
ALWAYS_ALLOWED_HEADERS = ("content-type", "content-encoding", "authorization", "x-api-key", "x-requested-with")


class Cors:
    """Decides by origin, and writes the headers that tell the browser. Without settings nothing is allowed."""

    def __init__(self, settings: CorsSettings | None) -> None:
        origins = settings.allowed_origins if settings else ()
        self.is_on = bool(origins)
        self._any_origin = "*" in origins
        self._origins = [re.compile(re.escape(origin.lower()).replace(r"\*", ".*")) for origin in origins]
        headers = settings.allowed_headers if settings else ()
        self._any_header = "*" in headers
        self._headers = ", ".join(dict.fromkeys((*ALWAYS_ALLOWED_HEADERS, *(header.lower() for header in headers))))
        self._max_age = settings.max_age_seconds if settings else 0

    def headers_for(self, origin: str | None) -> Headers:
        """Return what goes with every answer to this origin; nothing when it is not allowed."""
        if not self.is_on or origin is None:
            return []
        if self._any_origin:
            return [(b"access-control-allow-origin", b"*"), *_EXPOSED]
        if not any(pattern.fullmatch(origin.lower()) for pattern in self._origins):
            return [_VARY]
        allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
        return [allowed, (b"access-control-allow-credentials", b"true"), *_EXPOSED, _VARY]

    def preflight_headers(self, origin: str | None, requested_headers: str | None) -> Headers:
        """Return what answers an OPTIONS request from this origin."""
        headers = self.headers_for(origin)
        if not any(name == b"access-control-allow-origin" for name, _ in headers):
            return headers
        names = requested_headers if self._any_header and requested_headers else self._headers
        return [
            *headers,
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", names.encode("latin-1")),
            (b"access-control-max-age", b"%d" % self._max_age),
        ]


_EXPOSED = ((b"access-control-expose-headers", b"retry-after"),)
_VARY = (b"vary", b"origin")
