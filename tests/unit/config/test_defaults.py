"""The defaults: complete without a file, spelled out at the top and in the documentation."""

from datetime import timedelta
from pathlib import Path

import yaml

from collector.config import reference
from collector.config.load import load
from collector.config.model import Config
from collector.config.read import merge
from collector.config.values import Address
from tests.unit.config.loading import ROOT, protocols, storage, write


def test_no_file_at_all_is_a_complete_configuration() -> None:
    config = load(environment={})

    assert config == Config()
    grpc = protocols(config).grpc
    assert grpc is not None
    assert grpc.endpoint == Address("localhost", 4317)
    assert storage(config).retention.traces == timedelta(days=7)


def test_the_file_at_the_top_spells_out_the_defaults() -> None:
    assert load([ROOT / "otel-config.yaml"], environment={}) == Config()


def test_the_file_at_the_top_names_every_key() -> None:
    written = merge({}, load([ROOT / "otel-config.yaml"], environment={}).as_written())
    text = (ROOT / "otel-config.yaml").read_text()

    def names(value: object) -> set[str]:
        return {k for key, item in value.items() for k in {key} | names(item)} if isinstance(value, dict) else set()

    assert [name for name in names(written) if f"{name}:" not in text] == []


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    shown = yaml.safe_dump(Config().as_written())

    assert load([write(tmp_path, shown)], environment={}) == Config()


def test_the_documentation_is_up_to_date() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference.render(), "run `make docs`"
