"""A crash of the engine between noting a batch's token and making its rows visible."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def child(folder: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.contract.child", "clickhouse-embedded", str(folder), *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return said


def test_a_token_without_rows_does_not_swallow_the_batch(tmp_path: Path) -> None:
    child(tmp_path, "write", "0", "1", "100")
    tables = [log.parent for log in tmp_path.glob("store/*/*/deduplication_logs")]
    parts = [part for table in tables for part in table.glob("2*_*_*_0")]
    assert parts
    for part in parts[::2]:  # one of the two days of each table
        shutil.rmtree(part)
    assert child(tmp_path, "count")["spans"] < 100
    child(tmp_path, "write", "0", "1", "100")
    child(tmp_path, "write", "0", "1", "100")
    said = child(tmp_path, "count")
    assert (said["spans"], said["logs"], said["traces"]) == (100, 100, 100)
