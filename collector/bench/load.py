"""The load generator: a process of its own, run as `python -m collector.bench.load SPEC`.

It prints `ready` once its requests are built and its connections stand, starts when a line arrives on standard input,
ends early when a second line says `stop`, and prints one line of JSON (`LoadResult`) at the end.
"""

import json
import resource
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from math import inf
from typing import TextIO

from collector.bench.senders import OK, REFUSED, GrpcSender, HttpSender, Sender
from collector.bench.templates import Template, logs_templates, trace_templates

_TEMPLATES = 64
_BACK_OFF_SECONDS = 0.05
_PATIENCE_SECONDS = 60.0  # how long after the end a refused request is sent again
_SAMPLE_EVERY = 8  # requests of a client for each sampled trace id


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """What to send. It ends after `seconds` or, when that is set, after `requests`."""

    endpoint: str  # host:port
    signal: str = "traces"  # or "logs"
    per_request: int = 512
    as_json: bool = False  # over HTTP; protobuf over gRPC otherwise
    agentic: float = 0.0  # share of the traces whose spans are an agent's
    clients: int = 4
    seconds: float = 20.0
    requests: int | None = None
    items_per_second: float | None = None  # all clients together; as fast as answers come when None
    back_fill_seconds: float = 0.0  # spread the items' times over so long before now


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What was sent and what became of it. Times are seconds of the machine-wide monotonic clock."""

    requests: int  # acknowledged
    items: int  # acknowledged
    verdicts: dict[str, int]  # of what was not acknowledged
    first_send: float
    last_ack: float
    ack_at: list[float]  # of each acknowledged request, in order
    ack_ms: list[float]  # how long each of them took
    trace_ids: list[str]  # some of those acknowledged
    cpu_seconds: float  # of the generator


@dataclass(slots=True)
class _Client:
    """One closed loop: its connection, its requests and its notes."""

    sender: Sender
    templates: list[Template]
    acks: list[tuple[float, float]] = field(default_factory=list)
    items: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    trace_ids: list[str] = field(default_factory=list)


class _Progress:
    """How far the load has come, over all clients."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec
        self._lock = threading.Lock()
        self._taken = 0
        self.started = time.monotonic()
        self._end = self.started + spec.seconds if spec.requests is None else inf
        self.patience = self.started + spec.seconds + _PATIENCE_SECONDS

    def stop(self) -> None:
        """Let no further request begin."""
        self._end = 0.0

    def next_item_time(self) -> int | None:
        """Return the time that the next request's items are to have, or None when it is enough."""
        with self._lock:
            taken, self._taken = self._taken, self._taken + 1
        total = self._spec.requests
        if (total is not None and taken >= total) or time.monotonic() >= self._end:
            return None
        if self._spec.items_per_second:
            due = self.started + taken * self._spec.per_request / self._spec.items_per_second
            time.sleep(max(0.0, due - time.monotonic()))
        back = self._spec.back_fill_seconds * (1 - taken / total) if total else 0.0
        return time.time_ns() - int(back * 1e9)


def _run_client(client: _Client, progress: _Progress) -> None:
    turn = 0
    while (moment := progress.next_item_time()) is not None:
        template = client.templates[turn % len(client.templates)]
        body = template.render(moment)
        sent = time.monotonic()
        while (verdict := client.sender.send(body)) == REFUSED and sent < progress.patience:
            client.verdicts[REFUSED] += 1
            time.sleep(_BACK_OFF_SECONDS)
            sent = time.monotonic()
        acked = time.monotonic()
        if verdict == OK:
            client.acks.append((acked, (acked - sent) * 1e3))
            client.items += template.items
            if turn % _SAMPLE_EVERY == 0:
                client.trace_ids.append(template.some_trace_id().hex())
        else:
            client.verdicts[verdict] += 1
        turn += 1


def build_templates(spec: LoadSpec, count: int) -> list[Template]:
    """Return `count` different requests of the kind that the spec asks for."""
    if spec.signal == "logs":
        return logs_templates(count, spec.per_request, as_json=spec.as_json)
    return trace_templates(count, spec.per_request, as_json=spec.as_json, agentic=spec.agentic)


def _connect(spec: LoadSpec) -> list[_Client]:
    make = HttpSender if spec.as_json else GrpcSender
    per_client = max(2, _TEMPLATES // spec.clients)
    templates = build_templates(spec, per_client * spec.clients)
    return [
        _Client(make(spec.endpoint, spec.signal), templates[i * per_client : (i + 1) * per_client])
        for i in range(spec.clients)
    ]


def run(spec: LoadSpec, clients: list[_Client], commands: TextIO) -> LoadResult:
    """Drive all clients to the end of the spec, or until `commands` says `stop`."""
    progress = _Progress(spec)
    threading.Thread(target=_obey, args=(commands, progress), daemon=True).start()
    threads = [threading.Thread(target=_run_client, args=(client, progress)) for client in clients]
    before = _cpu_seconds()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cpu = _cpu_seconds() - before
    acks = sorted(ack for client in clients for ack in client.acks)
    return LoadResult(
        requests=len(acks),
        items=sum(client.items for client in clients),
        verdicts=dict(sum((client.verdicts for client in clients), Counter[str]())),
        first_send=progress.started,
        last_ack=acks[-1][0] if acks else progress.started,
        ack_at=[at for at, _ in acks],
        ack_ms=[ms for _, ms in acks],
        trace_ids=[trace_id for client in clients for trace_id in client.trace_ids],
        cpu_seconds=cpu,
    )


def _obey(commands: TextIO, progress: _Progress) -> None:
    if commands.readline() == "stop\n":
        progress.stop()


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the load that the first argument describes."""
    spec = LoadSpec(**json.loads(sys.argv[1]))
    clients = _connect(spec)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    result = run(spec, clients, sys.stdin)
    for client in clients:
        client.sender.close()
    sys.stdout.write(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
