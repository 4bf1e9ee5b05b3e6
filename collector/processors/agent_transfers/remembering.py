"""Remembering what a function made of short texts: senders choose them, so what is kept is bounded in bytes, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

LONGEST_REMEMBERED = 1_000

_Text = TypeVar("_Text", str, bytes)
_Result = TypeVar("_Result")


def remembered(size: int) -> Callable[[Callable[[_Text], _Result]], Callable[[_Text], _Result]]:
    """Return a decorator that keeps the results for the `size` texts used last; long ones are computed each time."""

    def decorate(function: Callable[[_Text], _Result]) -> Callable[[_Text], _Result]:
        kept = lru_cache(size)(function)

        @wraps(function)
        def call(text: _Text) -> _Result:
            return kept(text) if len(text) <= LONGEST_REMEMBERED else function(text)

        return call

    return decorate
