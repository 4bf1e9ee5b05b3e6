"""Durations, sizes and endpoints as text."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config.values import Address, format_duration, format_size, parse_address, parse_duration, parse_size


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9999)))
def test_durations_read_back(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(st.integers(min_value=0, max_value=1 << 50))
def test_sizes_read_back(value: int) -> None:
    assert parse_size(format_size(value)) == value


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", "a b:1", "host:65536", "::1:80", "http://a:1", 4317])
def test_not_an_endpoint(text: object) -> None:
    with pytest.raises(ValueError, match="host:port"):
        parse_address(text)


@pytest.mark.parametrize(("text", "host"), [(":80", "0.0.0.0"), ("[::]:80", "::"), ("db.example:80", "db.example")])
def test_endpoints(text: str, host: str) -> None:
    assert parse_address(text) == Address(host, 80)


@pytest.mark.parametrize("text", ["5", "5 s", "-1s", "1w", "", 5, True, "9999999999d"])
def test_not_a_duration(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["big", "-1", -1, 1.5, True, None])
def test_not_a_size(text: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)
