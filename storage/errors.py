"""The two ways in which storage fails."""


class StorageUnavailable(Exception):
    """The engine cannot answer now; the same call may succeed later (retryable)."""


class StorageRejected(Exception):
    """The engine will never take this call as it is, whoever retries it (permanent)."""


class QueryLimitExceeded(StorageRejected):
    """A read hit its time or memory limit; a narrower query may succeed."""


class QueryCancelled(StorageRejected):
    """A read was ended because nobody waits for its answer any more (`storage.cancelling`)."""
