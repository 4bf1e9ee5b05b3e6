"""One query run: a server filled through OTLP, then every kind of read timed over HTTP."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collector.bench.api import Api
from collector.bench.figures import Spread, spread
from collector.bench.ledger import settled_bytes, totals, wait_until_stored
from collector.bench.load import LoadResult, LoadSpec
from collector.bench.load_process import LoadProcess
from collector.bench.messages import SERVICES
from collector.bench.questions import Corpus, Question, questions
from collector.bench.server import ServerProcess, scratch_folder

_FILL_CLIENTS = 4
_FILL_HOURS = 1.0
_LOGS_PER_SPAN = 0.1
_UNTIL_STOPPED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What to fill and how often to ask."""

    spans: int = 1_000_000
    repeat: int = 50
    with_ingest: bool = False  # ask again while half of the fill's rate comes in


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The figures of one kind of read."""

    name: str
    ms: Spread
    mean_bytes: int
    failures: int  # answers that were not 200
    example: str  # one of the paths asked


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The figures of a run."""

    spans: int
    bytes_on_disk: int
    peak_rss_bytes: int
    idle: list[ReadResult]
    beside_ingest: list[ReadResult]
    ingest_per_second: float  # spans acknowledged beside the second round


def run_query(plan: QueryPlan, settings: Mapping[str, Any], scratch: Path) -> QueryResult:
    """Fill a server on a new folder under `scratch`, wait for its merges, ask, and stop it."""
    with scratch_folder(scratch) as folder, ServerProcess(folder, settings) as server:
        api = Api(server.endpoints.query)
        filled = _fill(server, plan.spans)
        size, stored = settled_bytes(api), totals(api).stored
        asked = questions(_corpus(api, filled))
        idle = ask(api, asked, plan.repeat)
        beside, rate = _ask_beside_ingest(server, api, asked, plan, filled) if plan.with_ingest else ([], 0.0)
        peak = server.usage().peak_rss_bytes
        api.close()
    return QueryResult(stored, size, peak, idle, beside, rate)


def ask(api: Api, asked: Sequence[Question], repeat: int) -> list[ReadResult]:
    """Time every question `repeat` times, round after round, so that no kind has the caches for itself."""
    rng = random.Random(7)  # noqa: S311 (repeatable questions)
    timings: dict[str, list[float]] = {question.name: [] for question in asked}
    sizes, failures, examples = dict.fromkeys(timings, 0), dict.fromkeys(timings, 0), dict.fromkeys(timings, "")
    for _ in range(repeat):
        for question in asked:
            path = question.path(rng)
            started = time.perf_counter()
            try:
                status, body = api.get(path)
            except TimeoutError:
                status, body = 0, b""  # counts as a failure, and with the time that was waited
            timings[question.name].append((time.perf_counter() - started) * 1e3)
            sizes[question.name] += len(body)
            failures[question.name] += status != 200
            examples[question.name] = path
    return [
        ReadResult(name, spread(ms), sizes[name] // max(1, len(ms)), failures[name], examples[name])
        for name, ms in timings.items()
    ]


def _fill(server: ServerProcess, spans: int) -> LoadResult:
    back = _FILL_HOURS * 3600
    load = LoadSpec(server.endpoints.otlp_grpc, clients=_FILL_CLIENTS, back_fill_seconds=back)
    filled = _send(replace(load, requests=spans // load.per_request))
    logs = int(spans * _LOGS_PER_SPAN) // load.per_request
    records = _send(replace(load, signal="logs", requests=logs))
    api = Api(server.endpoints.query)
    wait_until_stored(api, filled.items + records.items)
    api.close()
    return filled


def _send(load: LoadSpec) -> LoadResult:
    with LoadProcess(load) as process:
        process.start()
        return process.result()


def _corpus(api: Api, filled: LoadResult) -> Corpus:
    operations = {
        service: tuple(sorted(api.json(f"/api/services/{service}/operations")["data"])) for service in SERVICES
    }
    return Corpus(tuple(filled.trace_ids), operations, _FILL_HOURS + 0.5)


def _ask_beside_ingest(
    server: ServerProcess, api: Api, asked: Sequence[Question], plan: QueryPlan, filled: LoadResult
) -> tuple[list[ReadResult], float]:
    half = filled.items / (filled.last_ack - filled.first_send) / 2
    endpoint = server.endpoints.otlp_grpc
    load = LoadSpec(endpoint, clients=_FILL_CLIENTS, seconds=_UNTIL_STOPPED_SECONDS, items_per_second=half)
    with LoadProcess(load) as process:
        process.start()
        time.sleep(3.0)  # until the pipeline and the merges are under way
        results = ask(api, asked, plan.repeat)
        process.stop()
        sent = process.result()
    return results, sent.items / (sent.last_ack - sent.first_send)
