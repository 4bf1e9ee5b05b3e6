"""One ingest run: a fresh server, a load, and the figures of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from collector.bench.api import Api
from collector.bench.figures import Spread, rates, spread
from collector.bench.freshness import FreshnessProbe
from collector.bench.ledger import settled_bytes, totals, wait_until_stored
from collector.bench.load import LoadResult, LoadSpec
from collector.bench.load_process import LoadProcess
from collector.bench.server import ServerProcess, scratch_folder
from collector.bench.usage import Usage

SERIES_WINDOW_SECONDS = 10.0
KINDS: Mapping[str, LoadSpec] = {
    "traces": LoadSpec(""),
    "one-span": LoadSpec("", per_request=1),
    "json": LoadSpec("", as_json=True),
    "logs": LoadSpec("", signal="logs"),
}


@dataclass(frozen=True, slots=True)
class IngestResult:
    """The figures of one run. Rates are items (spans or log records) per second."""

    clients: int
    items: int  # acknowledged
    acknowledged_per_second: float
    queryable_per_second: float  # until the last acknowledged item could be read
    ack_ms: Spread
    items_per_cpu_second: float  # of the server, flush included
    generator_cpu_share: float  # of one core
    peak_rss_bytes: int
    anonymous_bytes: int
    bytes_per_item: float
    fresh_loaded_seconds: Spread
    fresh_idle_seconds: Spread
    missing_traces: int  # of a sample of acknowledged traces, read back
    verdicts: dict[str, int]
    series: list[float] = field(default_factory=list)  # acknowledged per second, by SERIES_WINDOW_SECONDS


def run_ingest(load: LoadSpec, settings: Mapping[str, Any], scratch: Path, probe_seconds: float = 3.0) -> IngestResult:
    """Start a server on a new folder under `scratch`, drive it, wait until all is queryable, and stop it."""
    with scratch_folder(scratch) as folder, ServerProcess(folder, settings) as server:
        endpoint = server.endpoints.otlp_http if load.as_json else server.endpoints.otlp_grpc
        return _drive(server, replace(load, endpoint=endpoint), probe_seconds)


@dataclass(frozen=True, slots=True)
class _Observed:
    """What a run left behind, before it is made into figures."""

    load: LoadSpec
    result: LoadResult
    all_stored: float  # monotonic seconds
    before: Usage
    after: Usage
    fresh_loaded: list[float]
    fresh_idle: list[float]
    missing_traces: int
    bytes_per_item: float


def _drive(server: ServerProcess, load: LoadSpec, probe_seconds: float) -> IngestResult:
    api = Api(server.endpoints.query)
    _warm_up(load, api)
    stored_before = totals(api).stored
    loaded = FreshnessProbe(server.endpoints, poll_seconds=0.1)
    with LoadProcess(load) as process:
        before = server.usage()
        process.start()
        loaded.start(probe_seconds)
        try:
            result = process.result()
        finally:
            loaded.close()
    all_stored = wait_until_stored(api, stored_before + result.items + loaded.acknowledged)
    after = server.usage()
    observed = _Observed(
        load=load,
        result=result,
        all_stored=all_stored,
        before=before,
        after=after,
        fresh_loaded=loaded.seconds,
        fresh_idle=_fresh_when_idle(server),
        missing_traces=_missing(api, load.signal, result.trace_ids),
        bytes_per_item=settled_bytes(api) / max(1, totals(api).stored),
    )
    api.close()
    return _figures(observed)


def _figures(seen: _Observed) -> IngestResult:
    result = seen.result
    per_request = result.items / max(1, result.requests)
    sending = max(result.last_ack - result.first_send, 1e-9)
    cpu = seen.after.cpu_seconds - seen.before.cpu_seconds
    return IngestResult(
        clients=seen.load.clients,
        items=result.items,
        acknowledged_per_second=result.items / sending,
        queryable_per_second=result.items / (seen.all_stored - result.first_send),
        ack_ms=spread(result.ack_ms),
        items_per_cpu_second=result.items / max(cpu, 1e-9),
        generator_cpu_share=result.cpu_seconds / sending,
        peak_rss_bytes=seen.after.peak_rss_bytes,
        anonymous_bytes=seen.after.anonymous_bytes,
        bytes_per_item=seen.bytes_per_item,
        fresh_loaded_seconds=spread(seen.fresh_loaded),
        fresh_idle_seconds=spread(seen.fresh_idle),
        missing_traces=seen.missing_traces,
        verdicts=result.verdicts,
        series=[rate * per_request for rate in rates(result.ack_at, result.first_send, SERIES_WINDOW_SECONDS)],
    )


def _fresh_when_idle(server: ServerProcess) -> list[float]:
    probe = FreshnessProbe(server.endpoints, poll_seconds=0.005)
    for _ in range(10):
        probe.once()
    probe.close()
    return probe.seconds


def _warm_up(load: LoadSpec, api: Api) -> None:
    """Load every module that the measured requests will use."""
    with LoadProcess(replace(load, clients=1, requests=20)) as process:
        process.start()
        sent = process.result()
    wait_until_stored(api, sent.items)


def _missing(api: Api, signal: str, trace_ids: list[str], sample: int = 100) -> int:
    step = max(1, len(trace_ids) // sample)
    is_there = _has_logs if signal == "logs" else _has_trace
    return sum(not is_there(api, trace_id) for trace_id in trace_ids[::step])


def _has_trace(api: Api, trace_id: str) -> bool:
    return api.get(f"/api/v1/traces/{trace_id}")[0] == 200


def _has_logs(api: Api, trace_id: str) -> bool:
    return bool(api.json(f"/api/v1/logs?trace_id={trace_id}&limit=1")["logs"])
