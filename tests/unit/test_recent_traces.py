"""The bounded memory of agentic traces."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.processors.agent_stream.recent import RecentTraces


def column(*numbers: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([n.to_bytes(16, "big") for n in numbers], pa.binary(16))])


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=12), st.integers(1, 6))
def test_the_traces_added_last_are_known(added: list[list[int]], capacity: int) -> None:
    recent = RecentTraces(capacity)
    for numbers in added:
        recent.add(n.to_bytes(16, "big") for n in numbers)
        recent.among(column(1))
    last = list(dict.fromkeys(reversed([n for numbers in added for n in numbers])))[:capacity]
    assert recent.among(column(*range(13), 3)) == {n.to_bytes(16, "big") for n in last}
    recent.clear()
    assert recent.among(column(*range(13))) == set()
