"""The yardstick: the same rows inserted straight into the same engine from ready Arrow tables, fsync on.

Run as `python -m collector.bench.yardstick SPEC`, a process for each insert size, since an engine lives in one process
and must not see the caches of the run before. Prints one line of JSON (`InsertRate`).
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from collector.bench.load import LoadSpec, build_templates
from collector.bench.templates import Template
from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.otlp.flatten import Received, flatten
from storage.api import Batch, Signal, Storage
from storage.schemas import LOGS, SPANS

INSERT_SIZES = (32_768, 65_536, 131_072, 262_144)
_PER_REQUEST = 512
_TEMPLATES = 64
_ENGINE_BYTES = 4 << 30  # the largest insert size needs more than a server is given


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
    """Insert `spec.rows` rows that were made ready before the clock started, in this process."""
    batches = list(_batches(spec))
    storage = _open(spec)
    try:
        storage.write(next(_batches(spec, "warm-up")))
        started, cpu = time.perf_counter(), time.process_time()
        for batch in batches:
            storage.write(batch)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    finally:
        storage.close()
    rows = sum(batch.rows for batch in batches)
    return InsertRate(spec.rows_per_insert, rows / seconds, rows / cpu_seconds)


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


def _open(spec: YardstickSpec) -> Storage:
    # Imported late: the engine takes 250 MB, and only this process needs it.
    from storage.clickhouse.embedded import open_embedded  # noqa: PLC0415
    from storage.clickhouse.settings import EmbeddedSettings  # noqa: PLC0415

    generous = EmbeddedSettings(memory_bytes=_ENGINE_BYTES, query_memory_bytes=_ENGINE_BYTES)
    return open_embedded(Path(spec.folder), generous)


def main() -> None:
    """Measure what the first argument describes."""
    spec = YardstickSpec(**json.loads(sys.argv[1]))
    with TemporaryDirectory(dir=spec.folder) as folder:
        result = measure(YardstickSpec(**(asdict(spec) | {"folder": folder})))
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
