"""What callers of the gRPC services are told, and the one table that maps exceptions to it."""

import grpc

from storage.errors import QueryCancelled, QueryLimitExceeded, StorageRejected, StorageUnavailable


class CallFailed(Exception):
    """Ends a call with a status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> CallFailed:
    """Return the failure of a caller who asked for something that cannot be."""
    return CallFailed(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found() -> CallFailed:
    """Return the failure that Jaeger's clients take for "no such trace"."""
    return CallFailed(grpc.StatusCode.NOT_FOUND, "trace not found")


# The first row that the error is an instance of counts.
_TABLE = (
    (QueryCancelled, grpc.StatusCode.CANCELLED),
    (QueryLimitExceeded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (StorageRejected, grpc.StatusCode.INVALID_ARGUMENT),
    (StorageUnavailable, grpc.StatusCode.UNAVAILABLE),
)


def as_status(error: Exception) -> tuple[grpc.StatusCode, str]:
    """Return the status for any exception that leaves a handler."""
    if isinstance(error, CallFailed):
        return error.code, str(error)
    for kind, code in _TABLE:
        if isinstance(error, kind):
            return code, str(error)
    return grpc.StatusCode.INTERNAL, f"internal error: {type(error).__name__}"
