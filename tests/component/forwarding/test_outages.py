"""Outages, restarts and a full queue: what is acknowledged arrives once, or is counted as dropped."""

from collections import Counter
from pathlib import Path

from collector.bench.server import keep_port
from collector.forwarding.queue import ForwardQueue
from collector.journal.journal import Segment
from exporters.forward_otlp.grpc_client import OtlpGrpcClient, OtlpGrpcEndpoint
from exporters.forward_otlp.http_client import OtlpHttpClient
from exporters.http_client import HttpEndpoint
from storage.queries import Signal
from tests.component.forwarding.relay import (
    BOTH,
    Http,
    forwarding,
    http_server,
    listening,
    sending,
    span_ids,
    submit,
)
from tests.receiving import logs_request, receiving, traces_request
from tests.waiting import until


def test_an_outage_of_the_receiver_loses_nothing(tmp_path: Path) -> None:
    traces = [traces_request(30, seed) for seed in range(40)]
    kept, endpoint = keep_port()
    with kept, receiving(tmp_path / "down") as down:
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        client = OtlpGrpcClient(OtlpGrpcEndpoint(endpoint, timeout_seconds=5))
        with sending(tmp_path / "up", queue) as ingest, forwarding(queue, client) as forwarder:
            submit(ingest, Signal.TRACES, *traces[:20])
            submit(ingest, Signal.LOGS, logs_request(7))
            until(lambda: forwarder.status.failing_since is not None)
            assert forwarder.status.queued_bytes > 0
            with listening(down, kept.getsockname()[1]):
                submit(ingest, Signal.TRACES, *traces[20:])
                until(lambda: forwarder.status.delivered == 40 * 30 + 7)
                until(lambda: queue.bytes == 0)
                status = forwarder.status
        assert (status.failing_since, status.rejected, status.dropped) == (None, 0, 0)
        stored = Counter(down.spans()["span_id"].to_pylist())
        assert stored == span_ids(*traces)
        assert down.logs().num_rows == 7
    assert not list((tmp_path / "queue").glob("0*"))


def test_what_is_queued_survives_a_restart_of_both(tmp_path: Path) -> None:
    traces = [traces_request(50, seed) for seed in range(30)]
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces[:15])
    assert queue.bytes > 0
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces[15:])
    told = Http()
    with http_server(told) as url:
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))):
            until(lambda: queue.bytes == 0)
    assert span_ids(*(body for _, body in told.accepted)) == span_ids(*traces)


def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    traces = [traces_request(20, seed) for seed in range(60)]
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    with sending(tmp_path / "up", queue) as ingest:
        submit(ingest, Signal.TRACES, *traces)
    told = Http()
    told.status = lambda _: 200 if len(told.accepted) < 3 else 503
    with http_server(told) as url:
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))) as forwarder:
            until(lambda: forwarder.status.failing_since is not None)
        before = len(told.accepted)
        told.status = lambda _: 200
        queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
        with forwarding(queue, OtlpHttpClient(HttpEndpoint(url))):
            until(lambda: queue.bytes == 0)
    assert before == 3
    assert span_ids(*(body for _, body in told.accepted)) == span_ids(*traces)  # nothing twice either


def test_a_segment_that_is_handed_over_again_is_queued_once(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    taken: list[Segment] = []

    def twice(segment: Segment) -> bool:
        taken.append(segment)
        assert queue.take(segment)
        return queue.take(segment)

    with sending(tmp_path / "up", queue, handover=twice) as ingest:
        submit(ingest, Signal.TRACES, traces_request(5))
    assert len(taken) == len(list((tmp_path / "queue").glob("0*"))) == 1
    queued = queue.first(1)
    assert queued is not None
    queue.finish(queued)
    reopened = ForwardQueue(tmp_path / "queue", 2**28, BOTH)
    assert reopened.first(0) is None
    assert not reopened.take(taken[0])  # delivered before the crash


def test_at_its_cap_a_queue_takes_nothing_more_and_says_so(tmp_path: Path) -> None:
    queue = ForwardQueue(tmp_path / "queue", 5_000, BOTH)
    taken: list[bool] = []

    def take(segment: Segment) -> bool:
        taken.append(queue.take(segment))
        return taken[-1]

    with sending(tmp_path / "up", queue, handover=take) as ingest:
        for seed in range(6):  # each in a segment of its own, of which two fit
            submit(ingest, Signal.TRACES, traces_request(30, seed))
            until(lambda segments=seed + 1: len(taken) == segments)  # type: ignore[misc]
    assert taken == [True, True, False, False, False, False]
    assert 0 < queue.bytes <= 5_000
    assert queue.dropped == {Signal.TRACES: 4 * 30, Signal.LOGS: 0}
