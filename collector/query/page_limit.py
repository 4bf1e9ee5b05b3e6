"""The parameter `limit`: how many of something are answered at once."""

from typing import Annotated

from pydantic import WithJsonSchema

from collector.query.problems import Problem

# Every number is read, so that the answer to one that is too small says what is allowed, too.
PageLimit = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]


def checked_limit(asked: int, most: int) -> int:
    """Return the limit. Raises: Problem when nothing is asked for, or more than `most`."""
    if not 1 <= asked <= most:
        raise Problem("bad-parameter", f"expected 1 to {most}", parameter="limit", limit=most)
    return asked
