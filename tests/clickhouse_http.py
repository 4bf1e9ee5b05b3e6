"""ClickHouse's HTTP interface over the embedded engine, in a process of its own.

No server binary is needed, and yet clickhouse-connect, HTTP, the formats, the settings and all SQL really run. What one
process cannot do is left out of statements on their way to the engine: `ON CLUSTER` (there is one server) and the
replication of Replicated tables (there is no Keeper; plain ones note tokens instead). Distributed tables are real, over
a cluster of one shard.

    python -m tests.clickhouse_http FOLDER        prints the port, serves until stdin ends
"""

import json
import os
import re
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PASSWORD = "let-me-in"
CLUSTER = "one_shard"

_CONFIG = f"""
<clickhouse>
    <tcp_port>9000</tcp_port>
    <remote_servers><{CLUSTER}><shard>
        <internal_replication>true</internal_replication>
        <replica><host>127.0.0.1</host><port>9000</port></replica>
    </shard></{CLUSTER}></remote_servers>
    <macros><shard>1</shard><replica>1</replica></macros>
</clickhouse>
"""
_OPTIONS = "background_pool_size=2&background_schedule_pool_size=4&mark_cache_size=50000000&max_thread_pool_size=300"
_TRANSPORT = {"query", "database", "query_id", "wait_end_of_query", "send_progress_in_http_headers", "default_format"}
_TRANSPORT |= {"http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close"}
_REPLICATED = re.compile(r"ENGINE = Replicated(\w+)\('[^']*', '[^']*'(?:, )?")
_DATA = re.compile(rb"\A\s*(INSERT INTO .*? FORMAT \w+)\n", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)\.")


class Engine:
    """One chDB, and a connection for each query that runs."""

    def __init__(self, folder: Path) -> None:
        import chdb  # only the process of the server pays for it

        connect: Any = chdb.connect
        self._connect: Callable[[str], Any] = connect
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "config.xml"
        config.write_text(_CONFIG)
        self._address = f"{folder / 'data'}?config-file={config}&{_OPTIONS}"
        self._kept = self._connect(self._address)  # the engine lives as long as one connection

    def run(self, sql: str, database: str, settings: dict[str, str], parameters: dict[str, str]) -> bytes:
        """Run one statement with its settings, which end with the request, as on a server."""
        connection = self._connect(self._address)
        try:
            connection.query(f"USE `{database or 'default'}`", "Null")
            given = [f"{name} = {_literal(value)}" for name, value in settings.items()]
            if given:
                connection.query(f"SET {', '.join(given)}", "Null")
            return bytes(connection.query(_on_one_server(sql), "TSV", params=parameters or None).bytes())
        finally:
            connection.close()


def _literal(value: str) -> str:
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) else f"'{value}'"


def _on_one_server(sql: str) -> str:
    sql = re.sub(r"ON CLUSTER '\w+'", "", sql)
    sql = re.sub(r"\breplicated_deduplication_window =", "non_replicated_deduplication_window =", sql)
    return _REPLICATED.sub(r"ENGINE = \1(", sql)


class Handler(BaseHTTPRequestHandler):
    """One request: settings and parameters in the URL, SQL in the URL, the body or a form, data after the SQL."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two writes, and the second would wait for the client's ACK
    engine: Engine

    def do_POST(self) -> None:
        """Answer a query."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        fields = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if (self.headers["Content-Type"] or "").startswith("multipart/form-data"):
            fields |= _form(self.headers["Content-Type"], body)
            body = b""
        if self.headers["Authorization"] != f"Basic {b64encode(f'default:{PASSWORD}'.encode()).decode()}":
            self._fail(403, "Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        try:
            answer = self._run(fields, body)
        except RuntimeError as error:
            self._fail(500, str(error))
        else:
            self._send(200, answer)

    def _run(self, fields: dict[str, str], body: bytes) -> bytes:
        parameters = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
        settings = {
            name: value for name, value in fields.items() if name not in _TRANSPORT and not name.startswith("param_")
        }
        statement = fields.get("query", "").encode() + body
        with tempfile.NamedTemporaryFile() as file:
            if found := _DATA.match(statement):
                file.write(statement[found.end() :])
                file.flush()
                insert, _, kind = found[1].decode().rpartition("FORMAT")
                sql = f"{insert} FROM INFILE '{file.name}' FORMAT{kind}"
            else:
                sql = statement.decode()
            return self.engine.run(sql, fields.get("database", ""), settings, parameters)

    def _fail(self, status: int, message: str) -> None:
        code = _CODE.search(message)
        self._send(status, message.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1"})

    def _send(self, status: int, answer: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        summary = json.dumps({"written_rows": "0"})
        given = {"X-ClickHouse-Summary": summary, "X-ClickHouse-Timezone": "UTC", **(headers or {})}
        for name, value in given.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _form(kind: str, body: bytes) -> dict[str, str]:
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = (
        (part.get_param("name", header="content-disposition"), part.get_payload(decode=True))
        for part in message.iter_parts()
    )
    return {str(name): payload.decode() for name, payload in parts if isinstance(payload, bytes)}


def main(folder: str) -> None:
    Handler.engine = Engine(Path(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()  # until whoever started this ends, however it ends
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
