"""The folder of the embedded engine: prompts and bodies are in it, so it is its user's own."""

import stat
import subprocess
import sys
from pathlib import Path

_OPENS = """
import sys
from storage.clickhouse.embedded import open_embedded
from storage.clickhouse.settings import EmbeddedSettings

open_embedded(sys.argv[1], EmbeddedSettings()).close()
"""


def test_nobody_else_on_the_machine_may_read_it(tmp_path: Path) -> None:
    """In a process of its own: this one's engine is everybody's."""
    folder = tmp_path / "data" / "clickhouse"
    subprocess.run([sys.executable, "-c", _OPENS, str(folder)], check=True, timeout=60)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
