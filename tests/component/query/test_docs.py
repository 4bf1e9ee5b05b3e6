"""docs/http-api.md, docs/metrics.md and the OpenAPI document say the same as the code."""

import re
from pathlib import Path

import httpx
import pytest

from collector.query.dependencies import QueryDependencies
from collector.query.parse.conditions import FIELDS
from collector.query.problems import KINDS
from storage.queries import Signal

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "http-api.md").read_text(encoding="utf-8")
METRICS = (DOCS / "metrics.md").read_text(encoding="utf-8")
OURS = re.compile(r"/api/v1/(?!admin)|/health/|/metrics")

SECTIONS = dict(re.findall(r"^### `GET (\S+)`\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"^    GET (\S+)$", PAGE, re.MULTILINE)


def parameters(http: httpx.Client) -> dict[str, set[str]]:
    """Return the parameters of each route of ours, as OpenAPI lists them."""
    paths = http.get("/openapi.json").json()["paths"]
    return {
        path: {each["name"] for each in methods["get"].get("parameters", []) if each["in"] != "header"}
        for path, methods in paths.items()
        if OURS.match(path)
    }


def test_every_route_and_parameter_is_documented(http: httpx.Client) -> None:
    found = parameters(http)
    assert set(SECTIONS) == set(found)
    undocumented = {
        f"{path}: {name}" for path, names in found.items() for name in names if f"`{name}`" not in SECTIONS[path]
    }
    assert undocumented == set()


def test_every_documented_parameter_exists(http: httpx.Client) -> None:
    found = parameters(http)
    for path, section in SECTIONS.items():
        listed = re.search(r"Parameters: (.*?)(?:\.\s|\.$)", section, re.DOTALL)
        names = set(re.findall(r"`([a-z_]+)`", re.sub(r"\(.*?\)", "", listed[1], flags=re.DOTALL))) if listed else set()
        assert names == found[path], path


def test_every_route_explains_itself(http: httpx.Client) -> None:
    for path, methods in http.get("/openapi.json").json()["paths"].items():
        if not OURS.match(path):
            continue
        route = methods["get"]
        assert route["summary"], path
        assert route["description"], path
        assert route["tags"], path
        assert all(each.get("description") or each["in"] == "header" for each in route.get("parameters", [])), path


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(http: httpx.Client, example: str) -> None:
    answer = http.get(example)
    assert answer.status_code == 200, answer.text


def test_every_problem_is_documented() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE)
    assert {kind: int(status) for kind, status in rows} == {kind: status for kind, (status, _) in KINDS.items()}


def test_every_field_is_documented() -> None:
    fields = {name for signal in Signal for name in FIELDS[signal]}
    assert fields == set(re.findall(r"`((?:span|event|link|scope|log):[a-z_]+)`", PAGE))


def test_the_error_example_is_real(http: httpx.Client) -> None:
    example = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert example
    answer = http.get("/api/v1/traces", params={"where": "a = 1 AND b"})
    assert answer.json() == httpx.Response(200, text=example[1]).json()


def test_every_metric_is_documented(deps: QueryDependencies) -> None:
    documented = set(re.findall(r"^\| (`.*?`) \|", METRICS, re.MULTILINE))
    names = {name for cell in documented for name in re.findall(r"`([a-z0-9_]+)`", cell)}
    assert names == {metric.name for metric in deps.metrics.registry.collect()}
