"""Log records as lines of text."""

from typing import Any

import pytest

from collector.query.log_rows import text_line

ROW: dict[str, Any] = {
    "time": "2027-01-15T08:00:01.000000000Z",
    "severity": "INFO",
    "service": "shop",
    "event_name": None,
    "attributes": {},
    "trace_id": None,
}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("text", " text"),
        (0, " 0"),
        (0.0, " 0.0"),
        (False, " false"),
        ([], " []"),
        ({}, " {}"),
        ({"a": None}, ' {"a":null}'),
        ("", ""),
        (None, ""),
    ],
)
def test_a_body_is_shown_whatever_it_is(body: object, shown: str) -> None:
    assert text_line(ROW | {"body": body}) == f"2027-01-15T08:00:01.000000000Z INFO  shop{shown}"
