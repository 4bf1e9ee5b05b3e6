"""ClickHouse servers: what Baton says when they fail or are not set up, and several Baton processes on one."""

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from storage.clickhouse.server import ServerEngine, open_server
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable
from storage.queries import TraceQuery
from tests import clickhouse
from tests.contract.items import ALL_TIME, batch, log, resource, span


class Between(ThreadingHTTPServer):
    """Passes requests on to the server until it is told to answer in its place, or to hang up."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.daemon_threads = True
        self.target = urlsplit(target).netloc
        self.error: tuple[bytes, str] | None = None  # what the request holds, what it is answered; "" hangs up
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Between

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        error = self.server.error
        if error is not None and error[0] in body + self.path.encode():
            self._fail(error[1])
            return
        upstream = http.client.HTTPConnection(self.server.target)
        upstream.request("POST", self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name not in ("Server", "Date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    def _fail(self, message: str) -> None:
        if not message:
            self.close_connection = True
            return
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", message.split(".", maxsplit=1)[0].removeprefix("Code: "))
        self.send_header("Content-Length", str(len(message)))
        self.end_headers()
        self.wfile.write(message.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def between(clickhouse_server: None) -> Iterator[Between]:
    del clickhouse_server
    server = Between(clickhouse.settings("any").endpoints[0])
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "error",
    [
        "",
        "Code: 252. DB::Exception: Too many parts (3000). (TOO_MANY_PARTS)",
        "Code: 242. DB::Exception: Table is in readonly mode. (TABLE_IS_READ_ONLY)",
        "Code: 285. DB::Exception: Number of alive replicas (1) is less than requested quorum. (TOO_FEW_LIVE_REPLICAS)",
        "Code: 319. DB::Exception: Unknown quorum status. (UNKNOWN_STATUS_OF_INSERT)",
        "Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)",
        "Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)",
        "Code: 497. DB::Exception: baton: Not enough privileges. (ACCESS_DENIED)",
        "Code: 999. DB::Exception: Session expired. (KEEPER_EXCEPTION)",
    ],
)
def test_a_batch_that_a_server_cannot_take_now_can_be_written_again(between: Between, error: str) -> None:
    store = open_server(clickhouse.settings("failing", endpoints=(between.url,)))
    store.purge()
    rows = batch([span()], [log()])
    between.error = (b"INSERT INTO spans", error)
    with pytest.raises(StorageUnavailable):
        store.write(rows)
    between.error = None
    store.write(rows)
    store.write(rows)
    assert store.overview(ALL_TIME).spans == 1
    store.close()


def test_a_query_that_takes_too_much_fails_for_good(between: Between) -> None:
    store = open_server(clickhouse.settings("failing", endpoints=(between.url,)))
    between.error = (b"uniqExact", "Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED)")
    with pytest.raises(QueryLimitExceeded):
        store.overview(ALL_TIME)
    store.close()


def test_another_server_of_the_cluster_is_asked_when_one_is_gone(between: Between) -> None:
    given = clickhouse.settings("gone", cluster=True)
    store = open_server(clickhouse.settings("gone", cluster=True, endpoints=(between.url, *given.endpoints)))
    store.purge()
    between.error = (b"", "")
    store.write(batch([span()]))
    assert len(store.find_traces(TraceQuery(ALL_TIME))) == 1
    store.close()


@pytest.mark.parametrize(
    ("request_part", "error", "message"),
    [
        (b"SELECT", "Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)", "lacks a right"),
        (b"SELECT", "Code: 164. DB::Exception: Cannot modify setting in readonly mode. (READONLY)", "readonly"),
        (b"CREATE TABLE", "Code: 497. DB::Exception: Not enough privileges. (ACCESS_DENIED)", "lacks a right"),
        (b"CREATE DATABASE", "Code: 81. DB::Exception: no such database. (UNKNOWN_DATABASE)", "there is no database"),
    ],
)
def test_what_somebody_has_to_set_up_is_said_at_the_start(
    between: Between, request_part: bytes, error: str, message: str
) -> None:
    between.error = (request_part, error)
    with pytest.raises(StorageRejected, match=message):
        open_server(clickhouse.settings(f"setup{abs(hash(error))}", endpoints=(between.url,)))


@pytest.mark.usefixtures("clickhouse_server")
def test_a_wrong_password_an_unknown_cluster_and_nobody_there() -> None:
    with pytest.raises(StorageRejected, match="password is wrong"):
        ServerEngine(clickhouse.settings("any", password=SecretStr("no")))
    given = clickhouse.settings("any", cluster=True).model_copy(update={"cluster": "elsewhere"})
    with pytest.raises(StorageRejected, match="know no cluster elsewhere"):
        ServerEngine(given)
    with pytest.raises(StorageUnavailable):
        ServerEngine(clickhouse.settings("any", endpoints=("http://127.0.0.1:1",)))


def test_an_old_server_is_refused(between: Between, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.clickhouse.setup.MIN_VERSION", (99, 1))
    with pytest.raises(StorageRejected, match=r"Baton needs 99\.1 or newer"):
        ServerEngine(clickhouse.settings("any", endpoints=(between.url,)))


@pytest.mark.usefixtures("clickhouse_server")
@pytest.mark.parametrize("cluster", [False, True])
def test_several_processes_may_start_at_once_and_see_what_the_others_write(cluster: bool) -> None:
    given = clickhouse.settings(f"several{int(cluster)}", cluster=cluster)
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(lambda _: open_server(given), range(3)))
    for number, store in enumerate(stores):
        store.write(batch([span(service_name=f"service-{number}")], [log()]))
    for store in stores:
        assert store.services() == ["service-0", "service-1", "service-2", "shop"]
        assert len(store.find_traces(TraceQuery(ALL_TIME))) == 3
        store.close()


@pytest.mark.usefixtures("clickhouse_server")
def test_what_another_process_removed_is_written_again_when_it_is_needed() -> None:
    """A resource is written once a day by each process, unless another one emptied the tables meanwhile."""
    one, other = (open_server(clickhouse.settings("removals")) for _ in range(2))
    one.write(batch([span()]))
    other.purge()
    row = span()
    one.write(batch([row]))
    assert one.get_traces([row["trace_id"]])["resource"].to_pylist() == [resource("shop")]
    assert other.get_traces([row["trace_id"]])["resource"].to_pylist() == [resource("shop")]
    assert other.services() == ["shop"]
    one.close()
    other.close()


def test_a_store_is_its_database(clickhouse_server: None, tmp_path: Path) -> None:
    del clickhouse_server
    first, second = clickhouse.open_folder(tmp_path / "a"), clickhouse.open_folder(tmp_path / "b")
    first.write(batch([span()]))
    assert second.find_traces(TraceQuery(ALL_TIME)) == []
    first.close()
    second.close()
