"""Dropped days free the disk before the call returns."""

import random
from datetime import timedelta
from pathlib import Path

import pytest

from storage.agents import AgentStorage
from storage.api import RetentionPolicy
from tests.contract.items import DAY, NOW, batch, log


def test_dropping_frees_the_disk_before_it_returns(
    engine: AgentStorage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = next(tmp_path_factory.getbasetemp().glob("store*"))
    engine.purge()
    dice = random.Random(1)
    day = DAY - timedelta(days=9)
    engine.write(batch(logs=[log(dice.randbytes(1_000).hex(), day=day) for _ in range(200)]))
    table = next(part.parent for part in folder.rglob(f"{day:%Y%m%d}_*_*_0") if _bytes(part) > 150_000)
    engine.enforce_retention(RetentionPolicy(), NOW)
    assert _bytes(table) == 0


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.bin"))
