"""The `baton` command: what it prints and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from collector.cli import app
from collector.config.load import load
from collector.config.model import Config

RUN = CliRunner()


def test_version() -> None:
    result = RUN.invoke(app, ["--version"])

    assert result.exit_code == 0
    assert result.stdout.startswith("baton 0.")


def test_validate_accepts_the_defaults() -> None:
    result = RUN.invoke(app, ["validate"])

    assert (result.exit_code, result.stdout) == (0, "The configuration is valid.\n")


def test_validate_lists_every_problem_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "otel-config.yaml"
    path.write_text("extensions: {query: {endpoint: x}}\nexporters: {stor: {}}\n")

    result = RUN.invoke(app, ["validate", "--config", str(path), "--set", "service.data_dri=x"])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "The configuration has 3 problems:",
        '  exporters.stor: unknown component type; did you mean "storage"?',
        '  extensions.query.endpoint: write "host:port", such as "localhost:4317" or "0.0.0.0:4317"',
        '  service.data_dri: unknown key; did you mean "data_dir"?',
    ]


def test_validate_shows_what_is_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_TEST_PORT", "7777")

    result = RUN.invoke(
        app, ["validate", "--print", "--set", "extensions.query.endpoint=localhost:${env:BATON_TEST_PORT}"]
    )

    shown = yaml.safe_load(result.stdout)
    assert shown["extensions"]["query"]["endpoint"] == "localhost:7777"
    assert shown["receivers"] == Config().as_written()["receivers"]
    path = tmp_path / "shown.yaml"
    path.write_text(result.stdout)
    assert load([path]).as_written() == shown


@pytest.mark.parametrize("command", [[], ["validate"], ["bench"], ["bench", "ingest"]])
def test_help(command: list[str]) -> None:
    result = RUN.invoke(app, [*command, "--help"])

    assert result.exit_code == 0
    assert "Usage: " in result.stdout
    assert "completion" not in result.stdout


@pytest.mark.parametrize("command", ["--version", "--help", "validate"])
def test_a_short_command_does_not_wait_for_what_only_long_ones_need(command: str) -> None:
    code = f"""
import sys
from collector.cli import app
app([{command!r}], standalone_mode=False)
print(sorted({{"numpy", "pyarrow", "grpc", "chdb", "google.protobuf", "fastapi"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.splitlines()[-1] == "[]"
