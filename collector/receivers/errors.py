"""What can go wrong with a request before it reaches the pipeline, and with starting a receiver."""

from collections.abc import Iterable

from collector.errors import Rejected
from storage.queries import Signal


class ListenError(Exception):
    """A receiver cannot listen where it was told to; the message names the address and the cause."""


class Unauthenticated(Exception):
    """The request carries no key, or one that is not known."""


class PermissionDenied(Exception):
    """The key is known and may not send this."""


class UnknownPath(Rejected):
    """Nothing is served at this path; `served` are the paths at which something is."""

    def __init__(self, path: str, served: Iterable[str]) -> None:
        super().__init__("unknown_path", f"nothing is served at {path[:100]}, use {' or '.join(served)}")


class NoPipeline(Rejected):
    """No pipeline of the signal names the receiver; `key` is where the configuration would have to name it."""

    def __init__(self, signal: Signal, key: str) -> None:
        super().__init__("no_pipeline", f"{signal.value} are not taken here: {key} does not name this receiver")


class MethodNotAllowed(Rejected):
    """The path takes other methods; `allow` lists them as the Allow header does."""

    def __init__(self, method: str, allow: str) -> None:
        super().__init__("method_not_allowed", f"{method[:20]} is not supported here, use {allow}")
        self.allow = allow


class UnsupportedMediaType(Rejected):
    """The body is neither protobuf nor JSON."""

    def __init__(self, content_type: str) -> None:
        found = f"content type {content_type[:100]!r}" if content_type else "a request without a content type"
        super().__init__(
            "unsupported_media_type", f"{found} is not supported, use application/x-protobuf or application/json"
        )


class UnsupportedEncoding(Rejected):
    """The body is compressed in a way that is not supported; `supported` lists what is, as Accept-Encoding does."""

    def __init__(self, encoding: str, supported: str) -> None:
        super().__init__(
            "unsupported_encoding", f"content encoding {encoding[:100]!r} is not supported, use {supported}"
        )
        self.supported = supported


def reason_of(error: Rejected | Unauthenticated | PermissionDenied) -> str:
    """Return the word under which a request that never reached the pipeline is counted."""
    return error.reason if isinstance(error, Rejected) else "unauthenticated"
