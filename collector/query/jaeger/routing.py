"""Routes as Go's router has them: HEAD beside GET, and one path segment that may hold an encoded slash."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response

Endpoint = TypeVar("Endpoint", bound=Callable[[Request], Response])


def get(router: APIRouter, path: str, summary: str) -> Callable[[Endpoint], Endpoint]:
    """Route GET and HEAD to an endpoint."""

    def register(endpoint: Endpoint) -> Endpoint:
        router.get(path, summary=summary)(endpoint)
        router.head(path, include_in_schema=False)(endpoint)
        return endpoint

    return register


def path_segment(request: Request, before: str) -> str | None:
    """Return the one path segment behind a known part, decoded once; None when there is none or several.

    From the path as it was sent, where an encoded slash is still part of the segment.
    """
    segment = _part(request, before)
    return unquote(segment) if segment and "/" not in segment else None


def path_between(request: Request, before: str, after: str) -> str | None:
    """Return all between two known parts of the path, slashes included, decoded once; None when there is nothing."""
    return unquote(_part(request, before, after)) or None


def _part(request: Request, before: str, after: str = "") -> str:
    raw: bytes = request.scope.get("raw_path") or b""
    path = raw.decode("ascii", "replace")
    start = path.rfind(before) + len(before)
    return path[start : len(path) - len(after)]
