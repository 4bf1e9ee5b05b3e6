"""Configurations written to a folder, what is wrong with them, and the two components that are always there."""

from pathlib import Path

import pytest

from collector.config.errors import ConfigError
from collector.config.exporters import Storage
from collector.config.load import load
from collector.config.model import Config
from collector.config.receivers import OtlpReceiver, Protocols

ROOT = Path(__file__).parents[3]
GRPC = "receivers.otlp.protocols.grpc"


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def faults(*files: Path, options: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(files, options, environment or {})
    return {problem.path: problem.message for problem in caught.value.problems}


def protocols(config: Config) -> Protocols:
    """Return the transports of the OTLP receiver."""
    receiver = config.receivers["otlp"]
    assert isinstance(receiver, OtlpReceiver)
    return receiver.protocols


def storage(config: Config) -> Storage:
    exporter = config.exporters["storage"]
    assert isinstance(exporter, Storage)
    return exporter
