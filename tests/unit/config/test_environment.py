"""Values from the environment: what replaces them, how they are spelled, what is kept secret."""

from pathlib import Path

import pytest

from collector.config.errors import Problem
from collector.config.expand import expand
from collector.config.load import load
from tests.unit.config.loading import faults, protocols, storage


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:NAME}", "value"),
        ("${NAME}", "value"),
        ("x-${env:NAME}-$${NAME}-$$", "x-value-${NAME}-$"),
        ("${env:NOTHING:-other}", "other"),
        ("${env:EMPTY:-other}", "other"),
        ("${env:NOTHING:-}", None),
        ("${env:PORT}", 17),
        ("p${env:PORT}", "p17"),
        ("${env:LIST}", "[1, 2]"),
        ("cost: 5$", "cost: 5$"),
    ],
)
def test_environment(text: str, expected: object) -> None:
    problems: list[Problem] = []
    environment = {"NAME": "value", "PORT": "17", "EMPTY": "", "LIST": "[1, 2]"}

    assert expand({"a": [text]}, environment, problems, {}) == {"a": [expected]}
    assert problems == []


@pytest.mark.parametrize(
    "text",
    [
        *("0123", "1e5", "true", "null", "~", "2026-01-01", "2026-13-45", "0x_", "9" * 5000, "[" * 5000, "[x]"),
        *(" a: b ", "a #b", "&a b", '"a"'),
    ],
)
def test_a_text_from_the_environment_stays_as_it_was_spelled(text: str) -> None:
    options = (
        "receivers.otlp.protocols.http.auth.api_keys=['${env:KEY}', other]",
        "exporters.storage.clickhouse.password=${env:KEY}",
        "service.data_dir=${env:KEY}",
        "exporters.storage.query_threads=${env:THREADS}",
    )
    config = load((), options, {"KEY": text, "THREADS": "3"})
    http = protocols(config).http
    assert http is not None
    assert http.auth is not None
    assert [key.get_secret_value() for key in http.auth.api_keys] == [text, "other"]
    assert storage(config).clickhouse.password.get_secret_value() == text
    assert config.service.data_dir == Path(text)
    assert storage(config).query_threads == 3


def test_an_empty_key_is_one_error() -> None:
    options = ("receivers.otlp.protocols.http.auth.api_keys=['${env:KEY}']",)
    assert list(faults(options=options, environment={"KEY": ""})) == ["receivers.otlp.protocols.http.auth.api_keys[0]"]


def test_a_variable_that_is_not_set_is_one_error() -> None:
    assert faults(options=("extensions.query.endpoint=${env:NOPE}", "service.data_dir=${file:x}")) == {
        "extensions.query.endpoint": "environment variable NOPE is not set and there is no default",
        "service.data_dir": 'cannot read "${file:x}": write ${env:NAME} or ${env:NAME:-default}',
    }


def test_secrets_are_not_shown() -> None:
    options = ["receivers.otlp.protocols.grpc.auth.api_keys=['${env:KEY}']"]

    config = load([], options, {"KEY": "open-sesame"})

    grpc = protocols(config).grpc
    assert grpc is not None
    assert grpc.auth is not None
    assert [key.get_secret_value() for key in grpc.auth.api_keys] == ["open-sesame"]
    assert "sesame" not in f"{config!r}{config}{config.as_written()}"
