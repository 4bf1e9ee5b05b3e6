"""Jaeger's answers for `tests/data/jaeger/checkout.otlp.json`, a trace with one of everything.

The golden files beside it were compared with what Jaeger (main after v2.20.0, memory store) answers for the same
input. It differs in three things: Jaeger repeats the tag `error` when an attribute says it already, its store forgets
schema URLs, and it writes its stand-in for a missing service.name into the resource.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from collector.otlp.decode import Decoder
from collector.otlp.json import to_protobuf
from collector.query.jaeger.transform import transformed
from exporters.jaeger.v1_json import Rendering, traces_json
from exporters.jaeger.v3_json import resource_spans_elements, summary_json
from exporters.otlp.json import traces_json as otlp_json
from exporters.trace_summary import summarize
from storage.queries import Signal
from tests.stored import table

FOLDER = Path(__file__).parents[1] / "data" / "jaeger"
INPUT = FOLDER / "checkout.otlp.json"


def spans() -> pa.Table:
    return table(Signal.TRACES, to_protobuf(Signal.TRACES, INPUT.read_bytes()))


def answers() -> dict[str, Any]:
    """Return each answer by the name of its golden file."""
    stored = spans()
    return {
        "v1": _v1(stored, Rendering()),
        "v1-raw": _v1(stored, Rendering(raw=True)),
        "v3": json.loads(b"[" + resource_spans_elements(stored) + b"]"),
        "v3-raw": json.loads(b"[" + resource_spans_elements(stored, raw=True) + b"]"),
        "summary": summary_json(summarize(stored)[0]),
        "transform": json.loads(transformed(Decoder(), INPUT.read_bytes())),
        "otlp": json.loads(otlp_json(stored)),
    }


def golden_file(name: str) -> Path:
    return FOLDER / f"checkout.{name}.json"


def _v1(stored: pa.Table, rendering: Rendering) -> Any:
    return [json.loads(trace) for _, trace in traces_json(stored, rendering)]
