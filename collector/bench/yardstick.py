"""The yardstick: the same rows put straight into the same engine, made ready in the form it takes, fsync on.

Run as `python -m collector.bench.yardstick SPEC`, a process for each insert size, since an engine lives in one process
and must not see the caches of the run before. Prints one line of JSON (`InsertRate`).
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from collector.bench.engines import BareEngine, open_bare
from collector.bench.load import LoadSpec, build_templates
from collector.bench.server import scratch_folder
from collector.bench.templates import Template
from collector.bench.usage import usage
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.otlp.flatten import Received, flatten
from storage.api import Batch
from storage.queries import Signal
from storage.schemas import LOGS, SPANS

INSERT_SIZES = (32_768, 65_536, 131_072, 262_144)
_PER_REQUEST = 512
_TEMPLATES = 64


@dataclass(frozen=True, slots=True)
class YardstickSpec:
    """Which rows to insert, how many, and where."""

    folder: str  # scratch, on the disk that the server uses
    engine: str = "embedded"
    signal: str = "traces"
    agentic: float = 0.0
    rows: int = 1 << 21  # enough for merges to begin
    rows_per_insert: int = 65_536


@dataclass(frozen=True, slots=True)
class InsertRate:
    """What the engine did with one insert size."""

    rows_per_insert: int
    rows_per_second: float
    rows_per_cpu_second: float


def measure(spec: YardstickSpec) -> InsertRate:
    """Insert `spec.rows` rows that were made ready before the clock started."""
    engine = open_bare(spec.engine, Path(spec.folder))
    try:
        inserts = [engine.ready(batch) for batch in _batches(spec)]
        for batch in _batches(replace(spec, rows=0), "warm-up"):
            engine.ready(batch)()
        started, cpu = time.perf_counter(), _cpu_seconds(engine)
        for insert in inserts:
            insert()
        seconds, cpu_seconds = time.perf_counter() - started, _cpu_seconds(engine) - cpu
    finally:
        engine.close()
    rows = len(inserts) * spec.rows_per_insert
    return InsertRate(spec.rows_per_insert, rows / seconds, rows / cpu_seconds)


def _cpu_seconds(engine: BareEngine) -> float:
    return time.process_time() + sum(usage(pid).cpu_seconds for pid in engine.processes)


def measure_all(specs: Sequence[YardstickSpec]) -> list[InsertRate]:
    """Measure each in a process and a scratch folder of its own."""
    return [_measure_apart(spec) for spec in specs]


def _measure_apart(spec: YardstickSpec) -> InsertRate:
    command = [sys.executable, "-m", "collector.bench.yardstick", json.dumps(asdict(spec))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603
    return InsertRate(**json.loads(output))


def _batches(spec: YardstickSpec, name: str = "batch") -> Iterator[Batch]:
    """Yield batches of `rows_per_insert` rows, as the pipeline would hand them to storage."""
    signal, load = Signal(spec.signal), LoadSpec("", signal=spec.signal, agentic=spec.agentic)
    templates = build_templates(load, _TEMPLATES)
    decoder, contexts = Decoder(), Contexts()
    requests = spec.rows_per_insert // _PER_REQUEST
    for number in range(max(1, spec.rows // spec.rows_per_insert)):
        columns = decoder.decode(signal, _bodies(templates, requests)).columns
        received = Received(columns, np.full(requests, time.time_ns(), np.uint64))
        yield _batch(f"{name}-{number}", signal, flatten(signal, received, contexts))


def _bodies(templates: Sequence[Template], count: int) -> list[bytes]:
    return [templates[turn % len(templates)].render(time.time_ns()) for turn in range(count)]


def _batch(batch_id: str, signal: Signal, table: pa.Table) -> Batch:
    if signal is Signal.LOGS:
        return Batch(batch_id, SPANS.empty_table(), table)
    return Batch(batch_id, table, LOGS.empty_table())


def main() -> None:
    """Measure what the first argument describes."""
    spec = YardstickSpec(**json.loads(sys.argv[1]))
    with scratch_folder(Path(spec.folder)) as folder:
        result = measure(replace(spec, folder=str(folder)))
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
