"""Mutated payloads never crash the server, never get a server error, and never cost the good requests beside them.

`BATON_FUZZ_PAYLOADS` sets how many (`make test-fuzz`: 100,000), `BATON_FUZZ_SEED` repeats a run.
"""

import gzip
import http.client
import os
import random
import secrets
import sys
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from collector.bench.templates import logs_templates, trace_templates
from tests.e2e.exporting import Fate, Sent, body_of, settle, stored_span_ids

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PAYLOADS = int(os.environ.get("BATON_FUZZ_PAYLOADS", "3000"))
SEED = int(os.environ.get("BATON_FUZZ_SEED", secrets.randbits(32)))
CLIENTS = 8
ROOT = Path(__file__).parents[1]

SERVICES = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
# Permanent verdicts on the payload; everything else would be the server's fault.
GOOD_CODES = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED}
GOOD_STATUS = {200, 400, 413, 415}
COMPRESS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}


def seeds() -> dict[str, list[bytes]]:
    """Valid payloads to start from: the bench's, and what real agent frameworks sent."""
    now = time.time_ns()
    captured = sorted((ROOT / "data").rglob("*.pb"))
    return {
        "traces": [t.render(now) for size in (1, 16, 48) for t in trace_templates(2, size)]
        + [p.read_bytes() for p in captured if p.name.endswith(".traces.pb")][:20],
        "logs": [t.render(now) for t in logs_templates(3, 16)]
        + [p.read_bytes() for p in captured if p.name.endswith(".logs.pb")][:20],
        "json": [t.render(now) for t in trace_templates(3, 16, as_json=True)]
        + [t.render(now) for t in logs_templates(2, 8, as_json=True)],
    }


def mutated(rng: random.Random, body: bytes, others: list[bytes]) -> bytes:
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        kind = rng.choice((0, 0, 0, 0, 6, 6, 6, 1, 2, 3, 4, 5, 7))
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            other = rng.choice(others)
            cut = rng.randrange(len(other) + 1)
            data[at:] = other[cut:]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 16))
        elif kind == 4:
            data[at : at + rng.randrange(1, 64)] = b""
        elif kind == 5:
            data[at:at] = data[at : at + rng.randrange(1, 512)]
        elif kind == 6 and data:
            data[at % len(data)] = rng.choice((0, 0x7F, 0x80, 0xFF, 0x0A, 0x12))
        else:
            data[at:at] = rng.choice((b"\xff" * 10, b"\x80" * 11, b"\x0a" * 200, b"[" * 200, b'{"a":' * 100))
    return bytes(data) if rng.random() < 0.99 else rng.randbytes(rng.randrange(2000))


@dataclass
class Client:
    """One thread's connections; every tenth request is a good one that must be acknowledged."""

    server: ServerProcess
    rng: random.Random
    good: list[Sent] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    bad_answers: list[str] = field(default_factory=list)

    def run(self, corpus: dict[str, list[bytes]], payloads: int) -> None:
        self.http = http.client.HTTPConnection(self.server.endpoints.otlp_http, timeout=60)
        with grpc.insecure_channel(self.server.endpoints.otlp_grpc) as channel:
            self.exports = {signal: channel.unary_unary(method) for signal, method in SERVICES.items()}
            for number in range(payloads):
                kind = self.rng.choice(list(corpus))
                body = mutated(self.rng, self.rng.choice(corpus[kind]), corpus[kind])
                if kind == "json" or self.rng.random() < 0.3:
                    self._by_http(kind, body)
                else:
                    self._by_grpc(body)
                if number % 10 == 0:
                    self._good()
        self.http.close()

    def _by_grpc(self, body: bytes) -> None:
        signal = self.rng.choices(list(SERVICES), (6, 3, 1))[0]
        try:
            self.exports[signal](body, timeout=60)
            self.answers["grpc OK"] += 1
        except grpc.RpcError as error:
            self.answers[f"grpc {error.code().name}"] += 1
            if error.code() not in GOOD_CODES:
                self.bad_answers.append(f"{signal} {error.code()} {error.details()} for {body.hex()}")

    def _by_http(self, kind: str, body: bytes) -> None:
        headers = {"content-type": "application/json" if kind == "json" else "application/x-protobuf"}
        if self.rng.random() < 0.3:
            headers["content-encoding"] = self.rng.choice(list(COMPRESS))
            body = COMPRESS[headers["content-encoding"]](body)
            if self.rng.random() < 0.5:
                body = mutated(self.rng, body, [body])
        path = f"/v1/{self.rng.choices(list(SERVICES), (6, 3, 1))[0]}"
        self.http.request("POST", path, body, headers)
        with self.http.getresponse() as response:
            answer = response.read()
        self.answers[f"http {response.status}"] += 1
        if response.status not in GOOD_STATUS:
            self.bad_answers.append(f"{path} {headers} {response.status} {answer[:300]!r} for {body.hex()}")

    def _good(self) -> None:
        signal = self.rng.choice(("traces", "logs"))
        trace_id, items = os.urandom(16), self.rng.randrange(1, 6)
        body = body_of(signal, trace_id, items)
        assert self.exports[signal](body, timeout=60) == b"", "a good request was not taken whole"
        self.good.append(Sent(signal, trace_id, items, Fate.ACKNOWLEDGED))


@pytest.mark.timeout(120 + PAYLOADS // 50)
def test_mutated_payloads_cost_nothing_but_themselves(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    corpus = seeds()
    with ServerProcess(tmp_path) as server:
        clients = [Client(server, random.Random(SEED + number)) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as threads:
            runs = [threads.submit(client.run, corpus, PAYLOADS // CLIENTS) for client in clients]
        assert server.is_running, server.log_tail()
        for run in runs:
            run.result()
        answers = sum((client.answers for client in clients), Counter())
        print(dict(answers))
        assert [bad[:2000] for client in clients for bad in client.bad_answers][:5] == []
        check_good(server, [sent for client in clients for sent in client.good])
        assert answers["grpc INVALID_ARGUMENT"], "nothing was malformed"
        assert answers["grpc OK"], "nothing was well-formed"
        assert server.stop() == 0, server.log_tail()


def check_good(server: ServerProcess, good: list[Sent]) -> None:
    api = Api(server.endpoints.query)
    settle(api)
    for sent in good:
        assert stored_span_ids(api, sent) == sent.span_ids(), sent
    api.close()
