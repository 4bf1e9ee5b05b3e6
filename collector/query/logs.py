"""Routes for log records: search, and the live tail as server-sent events."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from collector.query.answers import example, json_answer
from collector.query.dependencies import QueryDependencies
from collector.query.log_rows import plain_rows, text_line
from collector.query.log_search import LogFilter, LogSearch, search
from collector.query.log_tail import LogTail, News
from collector.query.parse.times import parse_time
from collector.query.problems import Problem, as_problem, read
from collector.query.strict import strict_parameters
from exporters.otlp.json import logs_json
from storage.errors import StorageRejected, StorageUnavailable

_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15.0

ROW_EXAMPLE: dict[str, Any] = {
    "time": "2026-01-31T12:00:00.123456789Z",
    "time_unix_nano": 1769860800123456789,
    "observed_time_unix_nano": 1769860800123999999,
    "severity": "WARN",
    "severity_number": 13,
    "severity_text": "WARNING",
    "service": "cart",
    "body": "payment declined",
    "attributes": {"http.status_code": 402},
    "resource": {"service.name": "cart"},
    "scope": {"name": "app", "version": "", "attributes": {}},
    "trace_id": "000102030405060708090a0b0c0d0e0f",
    "span_id": "0001020304050607",
    "event_name": None,
}


class TailFilter(LogFilter):
    """Which records to follow."""

    start: str | None = Field(
        default=None, description="Begin with records since then; without it, with what arrives now."
    )


def logs_router(deps: QueryDependencies) -> APIRouter:
    """Return the routes under /api/v1/logs."""
    router = APIRouter(prefix="/api/v1/logs", tags=["logs"], dependencies=[Depends(strict_parameters)])
    tails = _Tails(deps)

    @router.get(
        "",
        summary="Search log records",
        responses=example("A page of records.", {"logs": [ROW_EXAMPLE], "next_cursor": None}),
    )
    def logs(parameters: Annotated[LogSearch, Query()]) -> Response:
        """Log records that satisfy every condition.

        `format=otlp` answers `{"resourceLogs": […]}` and `format=text` one line a record; both carry the next
        page's cursor in the `Next-Cursor` header.
        """
        records, cursor = search(deps, parameters)
        headers = {"Next-Cursor": cursor} if cursor else {}
        if parameters.format == "otlp":
            return Response(logs_json(records), headers=headers, media_type="application/json")
        rows = plain_rows(records)
        if parameters.format == "text":
            return Response("".join(text_line(row) + "\n" for row in rows), headers=headers, media_type="text/plain")
        return json_answer({"logs": rows, "next_cursor": cursor})

    @router.get(
        "/tail",
        summary="Follow log records",
        responses=example("Server-sent events.", 'data: {"time": "…", "body": "…"}\n\n', "text/event-stream"),
    )
    async def tail(parameters: Annotated[TailFilter, Query()]) -> Response:
        """Live tail as server-sent events: each `data` is a row as `GET /api/v1/logs` answers it, oldest first.

        No record comes twice. An event `skipped` says that more arrived than could be shown, an event `problem`
        that the store could not be asked. Records that arrive over 10 s late are not shown.
        """
        return tails.open(parameters)

    return router


@dataclass(slots=True)
class _Places:
    """How many live tails may be open at the same time, and how many are. Used on one event loop."""

    most: int
    taken: int = 0


class _Tail(StreamingResponse):
    """A live tail. It takes its place when it begins to be sent, and gives it back however it ends."""

    def __init__(self, events: AsyncIterator[bytes], places: _Places) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client or the server ends it; a problem when no place is free."""
        places = self._places
        if places.taken >= places.most:
            problem = Problem("too-many-tails", "close one first", retry_after=10, limit=places.most)
            await problem.response()(scope, receive, send)
            return
        places.taken += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            places.taken -= 1


class _Tails:
    """Begins live tails; lives on the event loop."""

    def __init__(self, deps: QueryDependencies) -> None:
        self._deps = deps
        self._places = _Places(deps.limits.max_tails)

    def open(self, parameters: TailFilter) -> Response:
        deps = self._deps
        if deps.stopping.is_set():
            raise Problem("draining", "the server is shutting down")
        start = None
        if parameters.start is not None:
            start = read("start", lambda text: parse_time(text, deps.clock()), parameters.start)
        tail = LogTail(deps.storage, parameters.query, start)
        return _Tail(self._events(tail), self._places)

    async def _events(self, tail: LogTail) -> AsyncIterator[bytes]:
        spoken = time.monotonic()
        yield b": open\n\n"
        while not self._deps.stopping.is_set():
            events = await self._poll(tail)
            if not events and time.monotonic() - spoken > _HEARTBEAT_SECONDS:
                events = b": still here\n\n"
            if events:
                spoken = time.monotonic()
                yield events
            await asyncio.sleep(_POLL_SECONDS)

    async def _poll(self, tail: LogTail) -> bytes:
        try:
            news = await run_in_threadpool(tail.poll, self._deps.clock())
        except (StorageUnavailable, StorageRejected) as error:
            return b"event: problem\ndata: " + orjson.dumps(as_problem(error).document()) + b"\n\n"
        return _written(news)


def _written(news: News) -> bytes:
    events = [b"event: skipped\ndata: {}\n\n"] if news.skipped else []
    events += [b"data: " + orjson.dumps(row) + b"\n\n" for row in news.rows]
    return b"".join(events)
