"""Requests whose resources or scopes are no messages: found, however many there are."""

import time

import numpy as np
import pytest

from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder, layout
from collector.otlp.validate import check
from storage.queries import Signal

_GROUPS = 300_000  # in a request of 3 MB
_NO_MESSAGE = b"\x0a\x02\x0a\x7f"  # field 1: bytes that end too soon
_RESOURCE = b"\x0a\x04" + _NO_MESSAGE
_SCOPE = b"\x12\x04" + _NO_MESSAGE


@pytest.mark.parametrize("malformed", [_RESOURCE, b"\x0a\x06" + _SCOPE])
def test_the_requests_of_malformed_groups_are_named_in_time_that_grows_with_their_number(malformed: bytes) -> None:
    bodies = [b"\x0a\x00", malformed * _GROUPS, b"", malformed]
    columns = Decoder().decode(Signal.TRACES, bodies).columns
    started = time.process_time()
    verdict = check(Signal.TRACES, layout(Signal.TRACES, columns), len(bodies), Contexts())
    assert time.process_time() - started < 10
    assert np.array_equal(verdict.malformed, [False, True, False, True])
