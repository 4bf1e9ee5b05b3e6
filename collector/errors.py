"""The two error kinds of the write path; `collector.receivers.status` maps them to gRPC and HTTP."""


class Refused(Exception):
    """Retryable: nothing of the request was kept, the client should send it again.

    `retry_after_seconds` is the hint for RetryInfo and Retry-After.
    """

    def __init__(self, message: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Rejected(Exception):
    """Permanent: this request can never be stored as it is. `reason` is a short fixed word for metrics and ledger."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(Rejected):
    """Permanent: the request is over the size limit, before or after decompression."""

    def __init__(self, message: str) -> None:
        super().__init__("too_large", message)
