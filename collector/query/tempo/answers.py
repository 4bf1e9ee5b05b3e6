"""Tempo's answers: JSON, and errors in plain text."""

from typing import Any

import orjson
from fastapi import Response
from fastapi.responses import PlainTextResponse


def json_answer(content: Any) -> Response:
    """Return JSON."""
    return Response(orjson.dumps(content), media_type="application/json")


def tempo_error(status: int, message: str) -> Response:
    """Return an error."""
    return PlainTextResponse(message, status)
