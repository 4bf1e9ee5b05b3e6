"""From PostgreSQL's SQLSTATEs to the port's errors."""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable

# Codes as in PostgreSQL's appendix "Error Codes". What is not listed is retryable: an unknown failure must never make
# the pipeline throw acknowledged data away.
_LIMIT = {"57014": "query_canceled", "53200": "out_of_memory", "53400": "configuration_limit_exceeded"}
# Reads that ended so would end so again.
STOPPED = frozenset(_LIMIT)
_PERMISSION = {"42501": "insufficient_privilege", "25006": "read_only_sql_transaction"}
_REJECTED_READS = {
    "2201B": "invalid_regular_expression",
    "22P02": "invalid_text_representation",
    "22003": "numeric_value_out_of_range",
    "42601": "syntax_error",
    "54001": "statement_too_complex",
}
_MESSAGE_LIMIT = 500


@contextlib.contextmanager
def port_errors(*, writing: bool = False) -> Iterator[None]:
    """Convert what the driver raises inside the block; see `raise_port_error`."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise_port_error(error, writing=writing)


def raise_port_error(cause: Exception, *, writing: bool = False) -> NoReturn:
    """Raise the port's error for a driver's exception.

    A write is never given up for the server's state: missing rights or a full disk are put right by people, and what
    was acknowledged waits in the journal meanwhile. A read that ran into a limit is `QueryLimitExceeded`.
    """
    state = getattr(cause, "sqlstate", None) or ""
    message = _message(cause)[:_MESSAGE_LIMIT] or type(cause).__name__
    if state in _PERMISSION:
        raise StorageUnavailable(f"the database role lacks a right that Baton needs: {message}") from cause
    if not writing and state in _LIMIT:
        raise QueryLimitExceeded(message) from cause
    if not writing and state in _REJECTED_READS:
        raise StorageRejected(message) from cause
    raise StorageUnavailable(message) from cause


def _message(cause: Exception) -> str:
    """Return what happened without DETAIL and CONTEXT: those quote rows, and messages are logged."""
    if not isinstance(cause, psycopg.Error) or not cause.diag.message_primary:
        return str(cause).strip()  # of the connection, not of a statement
    primary, hint = cause.diag.message_primary, cause.diag.message_hint
    return f"{primary} ({hint})" if hint else primary
