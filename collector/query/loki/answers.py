"""Loki's JSON: streams, matrix, vector, errors."""

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import Request, Response

from collector.query.loki.entries import Entry
from collector.query.loki.labels import Labels

CATEGORIZE = "categorize-labels"
_ENCODING_FLAGS = "x-loki-response-encoding-flags"
_KINDS = {404: "not_found", 422: "execution", 500: "internal", 503: "unavailable"}


def loki_error(status: int, message: str) -> Response:
    """Return an error: as Prometheus writes it, with the member `message` that Grafana shows."""
    body = {"status": "error", "errorType": _KINDS.get(status, "bad_data"), "error": message, "message": message}
    return Response(orjson.dumps(body), status, media_type="application/json")


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
