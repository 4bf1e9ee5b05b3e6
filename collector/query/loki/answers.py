"""Loki's JSON: streams, matrix, vector, errors."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from collector.query.loki.entries import Entry
from collector.query.loki.labels import Labels
from collector.query.loki.metrics import TooManyPoints, TooManyRecords
from collector.query.loki.parameters import BadParameter
from storage.errors import QueryLimitExceeded, StorageRejected, StorageUnavailable

CATEGORIZE = "categorize-labels"
_ENCODING_FLAGS = "x-loki-response-encoding-flags"


class NotAnswered(Exception):
    """A part of Loki's API that is not answered here."""


_STATUS = {
    BadParameter: 400,
    TooManyPoints: 400,
    TooManyRecords: 422,
    NotAnswered: 404,
    QueryLimitExceeded: 422,
    StorageRejected: 400,
    StorageUnavailable: 503,
}
_KINDS = {400: "bad_data", 404: "not_found"}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LokiRoute(APIRoute):
    """A route whose errors are Loki's."""

    def get_route_handler(self) -> _Handler:
        """Wrap the endpoint."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except tuple(_STATUS) as error:
                status = _STATUS[type(error)]
                kind = _KINDS.get(status, "execution")
                body = {"status": "error", "errorType": kind, "error": str(error), "message": str(error)}
                return Response(orjson.dumps(body), status, media_type="application/json")

        return handle


def success(data: Any) -> Response:
    """Return the envelope of an answer."""
    return Response(orjson.dumps({"status": "success", "data": data}), media_type="application/json")


def plain_json(data: Any) -> Response:
    """Return an answer that has no envelope."""
    return Response(orjson.dumps(data), media_type="application/json")


def result(kind: str, found: list[dict[str, Any]]) -> Response:
    """Return a query's result: `matrix` or `vector`."""
    return success({"resultType": kind, "result": found})


def streams(entries: Iterable[Entry], request: Request) -> Response:
    """Return entries as streams, in the form the request's header asks for."""
    flags = [flag.strip() for flag in request.headers.get(_ENCODING_FLAGS, "").split(",")]
    if CATEGORIZE not in flags:
        return success({"resultType": "streams", "result": plain_streams(entries)})
    found = _grouped((entry.stream, _categorized(entry)) for entry in entries)
    # In Loki's order: Grafana reads the answer as it comes, so the flags have to come before what they are about.
    return success({"encodingFlags": [CATEGORIZE], "resultType": "streams", "result": found})


def plain_streams(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return entries as streams whose labels are all labels of their entries."""
    return _grouped((entry.labels, [str(entry.time_unix_nano), entry.line]) for entry in entries)


def _categorized(entry: Entry) -> list[Any]:
    return [
        str(entry.time_unix_nano),
        entry.line,
        {"structuredMetadata": entry.structured, "parsed": entry.parsed},
    ]


def _grouped(values: Iterable[tuple[Labels, list[Any]]]) -> list[dict[str, Any]]:
    """Return values by their labels, in order of first appearance."""
    found: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for labels, value in values:
        key = tuple(sorted(labels.items()))
        found.setdefault(key, {"stream": labels, "values": []})["values"].append(value)
    return list(found.values())
