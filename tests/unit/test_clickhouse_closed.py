"""A store that is closed says so; nobody waits for a connection that never comes."""

import subprocess
import sys
from pathlib import Path

_READS = """
import sys, threading
from storage.clickhouse.embedded import open_embedded
from storage.clickhouse.settings import EmbeddedSettings
from storage.errors import StorageUnavailable

store = open_embedded(sys.argv[1], EmbeddedSettings(connections=2))
said = []

def ask():
    try:
        while True:
            store.services()
    except StorageUnavailable as error:
        said.append(str(error))

askers = [threading.Thread(target=ask) for _ in range(6)]
for asker in askers:
    asker.start()
store.close()
store.close()
for asker in askers:
    asker.join()
ask()
print(set(said), len(said))
"""


def test_reads_of_a_closed_store_are_refused(tmp_path: Path) -> None:
    """In a process of its own: this one's engine is everybody's."""
    done = subprocess.run(
        [sys.executable, "-c", _READS, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "{'the store is closed'} 7"
