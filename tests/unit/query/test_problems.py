"""Which problem document each exception becomes."""

import orjson
import pytest

from collector.query.problems import KINDS, Problem, as_problem
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable


@pytest.mark.parametrize(
    ("error", "status", "kind", "retry_after"),
    [
        (StorageUnavailable("disk gone"), 503, "storage-unavailable", "2"),
        (QueryLimitExceeded("over 10 s"), 422, "query-limit", None),
        (StorageRejected("no such function"), 400, "rejected", None),
        (Problem("bad-parameter", "expected a number", parameter="limit", limit=5), 400, "bad-parameter", None),
        (KeyError("secret"), 500, "internal", None),
    ],
)
def test_exceptions(error: Exception, status: int, kind: str, retry_after: str | None) -> None:
    answer = as_problem(error).response()
    document = orjson.loads(answer.body)

    assert (answer.status_code, answer.media_type) == (status, "application/problem+json")
    assert answer.headers.get("retry-after") == retry_after
    assert document["type"] == f"urn:baton:problem:{kind}"
    assert document["title"] == KINDS[kind][1]
    assert document["status"] == status
    assert "secret" not in document["detail"]


def test_limits_come_with_advice() -> None:
    assert "shorten the time range" in as_problem(QueryLimitExceeded("over 10 s")).detail


def test_members_that_are_not_known_are_left_out() -> None:
    document = Problem("bad-parameter", "no", parameter="a", position=None, limit=3).document()
    assert (document["parameter"], document["limit"], "position" in document) == ("a", 3, False)
