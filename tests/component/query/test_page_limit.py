"""`limit`: wherever it is asked for too much or for nothing, the answer says how much is allowed."""

import httpx
import pytest

ROUTES = {
    "/api/v1/traces": 1000,
    "/api/v1/logs": 5000,
    "/api/v1/attributes": 1000,
    "/api/v1/attributes/http.route/values": 1000,
    "/api/v1/transfers": 5000,
    "/api/v1/conversations": 1000,
    "/api/v1/conversations/c": 10_000,
}


@pytest.mark.parametrize("path", ROUTES)
def test_what_is_allowed_is_told(http: httpx.Client, path: str) -> None:
    most = ROUTES[path]
    for limit in (-1, 0, most + 1):
        answer = http.get(path, params={"limit": limit})
        problem = answer.json()
        assert (answer.status_code, problem["parameter"], problem["limit"]) == (400, "limit", most)
    for limit in (1, most):
        assert http.get(path, params={"limit": limit}).status_code in {200, 404}


def test_the_description_names_the_smallest_limit(http: httpx.Client) -> None:
    found = 0
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            if parameter["name"] == "limit":
                schema = parameter["schema"]
                assert (schema["type"], schema["minimum"]) == ("integer", 1), path
                assert schema["default"] > 0
                assert parameter["description"]
                found += 1
    assert found == len(ROUTES)


def test_any_other_bound_is_told_too(http: httpx.Client) -> None:
    problem = http.get("/api/v1/traces/stats/overview", params={"last_hours": 10**6}).json()
    assert (problem["parameter"], problem["limit"]) == ("last_hours", 24 * 3660)
