"""One table from ClickHouse error codes to the port's errors."""

import re
from typing import NoReturn

from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable

# Names as in ClickHouse's ErrorCodes.cpp. What is not listed is retryable: an unknown failure must never make the
# pipeline throw acknowledged data away.
_LIMIT = {
    158: "TOO_MANY_ROWS",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    191: "SET_SIZE_LIMIT_EXCEEDED",
    241: "MEMORY_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    396: "TOO_MANY_ROWS_OR_BYTES",
}
_REJECTED = {
    36: "BAD_ARGUMENTS",
    43: "ILLEGAL_TYPE_OF_ARGUMENT",
    47: "UNKNOWN_IDENTIFIER",
    53: "TYPE_MISMATCH",
    62: "SYNTAX_ERROR",
    427: "CANNOT_COMPILE_REGEXP",
    456: "UNKNOWN_QUERY_PARAMETER",
    457: "BAD_QUERY_PARAMETER",
}
_CODE = re.compile(r"Code: (\d+)\.")  # as in the engine's messages and in the bodies of a server's answers
# The limit of all queries and inserts together: asked again in a moment, this one may well be answered.
_ALL_TOGETHER = "(total) memory limit exceeded"
_WHERE_IN_THE_STORE = re.compile(r":? \(while reading .*", re.DOTALL)  # files of the store, nothing for clients
_MESSAGE_LIMIT = 500


def raise_port_error(cause: Exception, *, writing: bool = False) -> NoReturn:
    """Raise the port's error for an engine exception.

    A write that ran into a limit is retryable (memory frees up again); a read that did is `QueryLimitExceeded`, unless
    the limit is one that all share.
    """
    message = str(cause)
    found = _CODE.search(message)
    code = int(found.group(1)) if found else 0
    short = _WHERE_IN_THE_STORE.sub("", message[found.start() if found else 0 :])[:_MESSAGE_LIMIT]
    if not writing and code in _LIMIT and _ALL_TOGETHER not in message:
        raise QueryLimitExceeded(short) from cause
    if code in _REJECTED:
        raise StorageRejected(short) from cause
    raise StorageUnavailable(short or "the engine failed without a message") from cause
