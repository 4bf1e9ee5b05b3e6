"""Where a configuration comes from: files, options, and what cannot be read."""

from pathlib import Path

import pytest

from collector.config.errors import ConfigError
from collector.config.load import load
from collector.config.values import Address
from tests.unit.config.loading import faults, protocols, write


def test_files_are_merged_in_order_and_options_come_last(tmp_path: Path) -> None:
    first = write(tmp_path, "extensions: {query: {endpoint: 'localhost:1', base_path: /a}}", "1.yaml")
    second = write(tmp_path, "extensions: {query: {endpoint: 'localhost:2'}}", "2.yaml")

    config = load([first, second], ["extensions.query.base_path=/b", "service.extensions=[query]"], {})

    query = config.as_written()["extensions"]["query"]
    assert (query["endpoint"], query["base_path"]) == ("localhost:2", "/b")
    assert config.service.extensions == ("query",)


def test_an_option_changes_one_key_and_leaves_its_neighbours() -> None:
    found = protocols(load(options=["receivers.otlp.protocols.grpc.endpoint=[::1]:14317"]))

    assert found.grpc is not None
    assert found.grpc.endpoint == Address("::1", 14317)
    assert found.http is not None


def test_an_option_without_a_value() -> None:
    assert faults(options=("service",)) == {"--set service": "write key.path=value"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "line 1: expected the node content"),
        ("receivers: {}\nreceivers: {}", 'line 2: key "receivers" is here twice'),
        ("- a", "must be a mapping with receivers, processors, exporters, service …"),
        ("1: {}", "line 1: key 1 is not text"),
        ("service:\n  data_dir: 0x_", "line 2: this is no number; if it is a text, put it into quotes"),
        ("service: {data_dir: !!timestamp 2026-13-45}", "line 1: this is no number"),
        (f"service: {{data_dir: {'9' * 5000}}}", "line 1: this is no number"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)

    assert faults(path)[str(path)].startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert faults(tmp_path / "no.yaml") == {str(tmp_path / "no.yaml"): "cannot be read: No such file or directory"}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {b: *a}",
        "x: " + "[" * 5000 + "]" * 5000,
        "x: " + "[" * 150 + "]" * 150,
        "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]" for n in range(1, 12))]),
    ],
    ids=["endless", "too deep to read", "too deep", "a bomb"],
)
def test_yaml_without_end_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert "over 100000 values" in faults(path)[str(path)]
    assert "over 100000 values" in faults(options=(f"service={text}",))["--set service"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99999999999999999999", "this number is too large"),
        ('"\\ud800"', '"?" holds characters that are not Unicode'),
        ("a\udcffb", '"a?b" holds characters that are not Unicode'),  # an argument that is not UTF-8
        ("!!binary aGk=", "expected text, a number, a list or a mapping, not bytes"),
        ("!!set {a}", "expected text, a number, a list or a mapping, not set"),
        ("!!timestamp 2026-01-01", "expected text, a number, a list or a mapping, not date"),
    ],
)
def test_values_that_no_setting_can_hold(text: str, message: str) -> None:
    (fault,) = faults(options=(f"service.ingest.batch_rows={text}",)).values()
    assert fault == message


def test_a_folder_that_is_not_named_in_unicode() -> None:
    with pytest.raises(ConfigError, match=r'service.data_dir: "a\?" holds characters that are not Unicode'):
        load(overrides={"service.data_dir": "a\udcff"})


def test_a_key_that_is_not_unicode(tmp_path: Path) -> None:
    assert faults(write(tmp_path, 'service: {"\\ud800": 1}')) == {
        "service": '"?" holds characters that are not Unicode'
    }
