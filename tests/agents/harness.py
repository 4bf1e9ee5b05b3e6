"""Offline harness: load captured OTLP requests, form groups as the collector would, detect, and score against the
truth.

The comparison is the multiset of (from, to) per scenario. Rows of kind "return", attempts that were not completed, and
transfers the truth calls optional count neither way.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.processors.agent_transfers.detect import Options, detect
from collector.processors.agent_transfers.grouping import TRACELESS_LOG_GAP_NANO, form_groups, summarise
from collector.processors.agent_transfers.model import Event, Link, LogRecord, Span, Transfer, Value

CORPUS = Path(__file__).parent.parent / "data" / "agents"
MODES = ("plain", "shuffle", "split", "replay")


@dataclass
class Scenario:
    """One captured run with its truth."""

    name: str
    truth: dict[str, Any]
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)

    @property
    def family(self) -> str:
        return self.name.split("/", maxsplit=1)[0]


def load(folder: Path = CORPUS, only: str = "") -> list[Scenario]:
    """Load every scenario below a folder, in order of name."""
    scenarios = []
    for truth in sorted(folder.glob("*/*/ground_truth.json")):
        name = f"{truth.parent.parent.name}/{truth.parent.name}"
        if only not in name:
            continue
        scenario = Scenario(name, json.loads(truth.read_text()))
        for file in sorted(truth.parent.glob("*.pb")):
            if file.name.endswith(".traces.pb"):
                scenario.spans += read_spans(ExportTraceServiceRequest.FromString(file.read_bytes()))
            else:
                scenario.logs += read_logs(ExportLogsServiceRequest.FromString(file.read_bytes()))
        scenarios.append(scenario)
    return scenarios


def read_spans(request: Any) -> list[Span]:
    """Turn an export request into the spans the rules read."""
    spans = []
    for resource_spans in request.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            spans += [_span(span, resource, scope_spans.scope.name) for span in scope_spans.spans]
    return spans


def _span(span: Any, resource: dict[str, Value], scope: str) -> Span:
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=span.start_time_unix_nano,
        end_time_unix_nano=span.end_time_unix_nano,
        status_code=span.status.code,
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple(Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events),
        links=tuple(Link(link.trace_id, link.span_id, _attributes(link.attributes)) for link in span.links),
        service_name=str(resource.get("service.name", "")),
        scope_name=scope,
        resource_attributes=resource,
    )


def read_logs(request: Any) -> list[LogRecord]:
    """Turn an export request into the log records the rules read."""
    records = []
    for resource_logs in request.resource_logs:
        resource = _attributes(resource_logs.resource.attributes)
        for scope_logs in resource_logs.scope_logs:
            service = str(resource.get("service.name", ""))
            records += [_record(record, service, scope_logs.scope.name) for record in scope_logs.log_records]
    return records


def _record(record: Any, service: str, scope: str) -> LogRecord:
    return LogRecord(
        trace_id=record.trace_id,
        span_id=record.span_id,
        time_unix_nano=record.time_unix_nano or record.observed_time_unix_nano,
        severity_number=record.severity_number,
        body=_value(record.body),
        attributes=_attributes(record.attributes),
        service_name=service,
        scope_name=scope,
        event_name=record.event_name,
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Value:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def detect_store(spans: Sequence[Span], logs: Sequence[LogRecord], options: Options | None = None) -> list[Transfer]:
    """Detect over a whole store: groups over all its traces, records without a trace by service and time."""
    options = options or Options()
    traces: dict[bytes, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    records: dict[bytes, list[LogRecord]] = defaultdict(list)
    for record in logs:
        records[record.trace_id].append(record)
    traceless = records.pop(b"", [])
    groups = form_groups([summarise(several) for several in traces.values()])
    groups += [(trace_id,) for trace_id in records if trace_id not in traces]
    rows = []
    for group in groups:
        inside = [span for trace_id in group for span in traces.get(trace_id, [])]
        rows += detect(inside, [record for trace_id in group for record in records.get(trace_id, [])], options)
    for run in traceless_runs(traceless):
        rows += detect([], run, options)
    return rows


def traceless_runs(logs: Sequence[LogRecord]) -> list[list[LogRecord]]:
    """Cut the log records without a trace into runs of one service whose neighbours are close in time."""
    runs: list[list[LogRecord]] = []
    for record in sorted(logs, key=lambda r: (r.service_name, r.time_unix_nano)):
        last = runs[-1][-1] if runs else None
        if (
            last
            and last.service_name == record.service_name
            and record.time_unix_nano - last.time_unix_nano < TRACELESS_LOG_GAP_NANO
        ):
            runs[-1].append(record)
        else:
            runs.append([record])
    return runs


def store_of(scenarios: Sequence[Scenario], mode: str, seed: int = 11) -> tuple[list[Span], list[LogRecord]]:
    """Return all spans and records as a mode would deliver them; the rules see the union whatever the requests were."""
    spans = [span for scenario in scenarios for span in scenario.spans]
    logs = [record for scenario in scenarios for record in scenario.logs]
    if mode == "replay":
        spans, logs = spans + spans, logs + logs
    if mode in {"shuffle", "split"}:
        mixed = random.Random(seed)  # a fixed seed, not a secret
        mixed.shuffle(spans)
        mixed.shuffle(logs)
    return spans, logs


@dataclass
class Score:
    """Counts of one set of scenarios."""

    right: int = 0
    false: int = 0
    missed: int = 0
    scenarios: int = 0
    false_in_clean: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.false)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)


def score(scenarios: Sequence[Scenario], rows: Sequence[Transfer]) -> tuple[Score, dict[str, Score]]:
    """Score rows against the scenarios they belong to: by trace id, or without one by a record's exact time."""
    owner = {span.trace_id: s.name for s in scenarios for span in s.spans}
    owner |= {record.trace_id: s.name for s in scenarios for record in s.logs if record.trace_id}
    at = {record.time_unix_nano: s.name for s in scenarios for record in s.logs}
    said: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for row in rows:
        name = owner.get(row.trace_id) if row.trace_id else at.get(row.time_unix_nano)
        assert name is not None, f"a row that belongs to no scenario: {row}"
        if row.kind != "return" and row.completed:
            said[name][row.from_agent.strip(), row.to_agent.strip()] += 1
    total = Score()
    sets: dict[str, Score] = defaultdict(Score)
    for scenario in scenarios:
        for counts in (total, sets[scenario.family]):
            _compare(counts, scenario, said[scenario.name])
    return total, dict(sets)


def _compare(counts: Score, scenario: Scenario, said: Counter[tuple[str, str]]) -> None:
    transfers = scenario.truth["transfers"]
    sure = Counter(_pair(t) for t in transfers if t.get("completed", True) and not t.get("optional"))
    free = Counter(_pair(t) for t in transfers if not t.get("completed", True) or t.get("optional"))
    free += Counter(_pair(t) for t in scenario.truth.get("returns", []))
    hit, extra, miss = sure & said, said - (sure & said) - free, sure - said
    counts.right += sum(hit.values())
    counts.false += sum(extra.values())
    counts.missed += sum(miss.values())
    counts.scenarios += 1
    counts.false_in_clean += int(not sure and not free and bool(extra))
    if extra or miss:
        counts.notes.append(f"{scenario.name}: extra {dict(extra)} missing {dict(miss)}")


def _pair(transfer: dict[str, Any]) -> tuple[str, str]:
    return str(transfer["from"] or "").strip(), str(transfer["to"] or "").strip()


def table(total: Score, sets: dict[str, Score]) -> str:
    """Render one line a set, then the totals."""
    lines = [
        f"{name:42} scenarios {s.scenarios:3}  right {s.right:3}  false {s.false:3}  missed {s.missed:3}"
        for name, s in sorted(sets.items())
    ]
    lines.append(
        f"precision {total.precision:.3f} recall {total.recall:.3f} false_in_clean {total.false_in_clean} "
        f"scenarios {total.scenarios}"
    )
    return "\n".join(lines)
