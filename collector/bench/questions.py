"""What `baton bench query` asks: every kind of read, each time with other values."""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from collector.bench.messages import MESSAGES, SERVICES, USERS

_LIMIT = 20


@dataclass(frozen=True, slots=True)
class Corpus:
    """What the questions may name: all of it is stored."""

    trace_ids: tuple[str, ...]
    operations: dict[str, tuple[str, ...]]  # by service
    hours: float  # how far back the items reach


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of read; `path` makes a new request of that kind."""

    name: str
    path: Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class _Search:
    """A trace search in terms that every API has."""

    service: str
    operation: str | None = None
    attribute: tuple[str, str] | None = None
    duration_min: str | None = None
    error: bool = False


_Searches = dict[str, Callable[[random.Random], _Search]]


def questions(corpus: Corpus) -> list[Question]:
    """Return every question about a corpus."""
    return [*_by_id(corpus), *_searches(corpus), *_catalogue(corpus), *_logs()]


def _by_id(corpus: Corpus) -> Iterator[Question]:
    for api, pattern in (("jaeger", "/api/traces/{}"), ("v1", "/api/v1/traces/{}")):
        yield Question(f"trace by id, {api}", lambda rng, p=pattern: p.format(rng.choice(corpus.trace_ids)))  # type: ignore[misc]


def _searches(corpus: Corpus) -> Iterator[Question]:
    searches: _Searches = {
        "service": lambda rng: _Search(rng.choice(SERVICES)),
        "operation": lambda rng: _Search(service := rng.choice(SERVICES), rng.choice(corpus.operations[service])),
        "common attribute": lambda rng: _Search(rng.choice(SERVICES), attribute=("http.response.status_code", "404")),
        "rare attribute": lambda rng: _Search(
            rng.choice(SERVICES), attribute=("user.id", f"user-{rng.randrange(USERS)}")
        ),
        "duration": lambda rng: _Search(rng.choice(SERVICES), duration_min=f"{rng.randrange(200, 400)}ms"),
        "error": lambda rng: _Search(rng.choice(SERVICES), error=True),
    }
    for title, render in (("20 traces", _jaeger), ("20 summaries, v3", _summaries), ("20 summaries, v1", _v1)):
        for name, search in searches.items():
            yield Question(
                f"{title} by {name}",
                lambda rng, s=search, r=render: r(s(rng), corpus.hours),  # type: ignore[misc]
            )


def _jaeger(search: _Search, hours: float) -> str:
    end = time.time_ns() // 1000
    query: dict[str, str | int] = {"service": search.service, "limit": _LIMIT, "end": end}
    query["start"] = end - int(hours * 3600e6)
    if search.operation:
        query["operation"] = search.operation
    if search.attribute:
        query["tags"] = json.dumps(dict([search.attribute]))
    if search.error:
        query["tags"] = '{"error":"true"}'
    if search.duration_min:
        query["minDuration"] = search.duration_min
    return f"/api/traces?{urlencode(query)}"


def _summaries(search: _Search, hours: float) -> str:
    end = time.time()
    query: dict[str, str | int] = {"query.serviceName": search.service, "query.searchDepth": _LIMIT}
    query["query.startTimeMin"], query["query.startTimeMax"] = _iso(end - hours * 3600), _iso(end)
    if search.operation:
        query["query.operationName"] = search.operation
    if search.attribute:
        query["query.attributes"] = json.dumps(dict([search.attribute]))
    if search.error:
        query["query.attributes"] = '{"error":"true"}'
    if search.duration_min:
        query["query.durationMin"] = search.duration_min
    return f"/api/v3/trace-summaries?{urlencode(query)}"


def _v1(search: _Search, hours: float) -> str:
    end = time.time()
    query: dict[str, str | int] = {"service": search.service, "limit": _LIMIT}
    query["start"], query["end"] = _iso(end - hours * 3600), _iso(end)
    if search.operation:
        query["name"] = search.operation
    if search.attribute:
        query["attr"] = "=".join(search.attribute)
    if search.error:
        query["status"] = "error"
    if search.duration_min:
        query["min_duration"] = search.duration_min
    return f"/api/v1/traces?{urlencode(query)}"


def _catalogue(corpus: Corpus) -> Iterator[Question]:
    lookback = int(corpus.hours * 3600e3)
    yield Question("services", lambda _: "/api/services")
    yield Question("operations of a service", lambda rng: f"/api/services/{rng.choice(SERVICES)}/operations")
    yield Question("dependencies", lambda _: f"/api/dependencies?endTs={int(time.time() * 1e3)}&lookback={lookback}")


def _logs() -> Iterator[Question]:
    yield Question("log text, common", lambda rng: _log_search(rng.choice(MESSAGES)))
    yield Question("log text, rare", lambda rng: _log_search(f"for user-{rng.randrange(USERS)} in"))
    yield Question("log text, absent", lambda rng: _log_search(f"nothing like {rng.random()}"))


def _log_search(text: str) -> str:
    return f"/api/v1/logs?{urlencode({'text': text, 'limit': _LIMIT})}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
