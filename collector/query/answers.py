"""JSON answers, written once: nothing is validated or converted again on the way out."""

from typing import Any

import orjson
from fastapi import Response

_OPTIONS = orjson.OPT_NON_STR_KEYS


def json_answer(content: Any, status: int = 200) -> Response:
    """Return the answer; times and ids are already texts, floats are finite."""
    return Response(orjson.dumps(content, option=_OPTIONS), status, media_type="application/json")


def example(description: str, value: Any, media_type: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of a 200 answer."""
    return {200: {"description": description, "content": {media_type: {"example": value}}}}
