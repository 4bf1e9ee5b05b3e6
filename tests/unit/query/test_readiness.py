"""When the service takes requests."""

import pytest

from collector.query.health import reasons_not_ready
from collector.state import ServiceState

ROOM = ServiceState(journal_bytes=10, journal_cap_bytes=100)
FULL = ServiceState(journal_bytes=100, journal_cap_bytes=100)


@pytest.mark.parametrize(
    ("state", "store_error", "stopping", "expected"),
    [
        (ROOM, "", False, []),
        (ROOM, "no answer", False, []),
        (FULL, "", False, []),
        (FULL, "no answer", False, ["the journal is full and the store does not answer: no answer"]),
        (ROOM, "", True, ["the service is shutting down"]),
        (ServiceState(starting=True), "", False, ["the service is starting"]),
        (ServiceState(journal_error="disk full"), "", False, ["the journal cannot be written: disk full"]),
    ],
)
def test_reasons(state: ServiceState, store_error: str, stopping: bool, expected: list[str]) -> None:
    assert reasons_not_ready(state, store_error, stopping=stopping) == expected
