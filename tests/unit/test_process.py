"""How a serving process is set: in processes of their own, because it cannot be taken back."""

import os
import subprocess
import sys

import pytest

_ALLOCATE_ON_A_THREAD = """
import ctypes, threading
from collector.process import tune_process

def heap():
    for line in open("/proc/self/maps"):
        if line.rstrip().endswith("[heap]"):
            return [int(edge, 16) for edge in line.split()[0].split("-")]

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
tune_process()
found = []
thread = threading.Thread(target=lambda: found.append(libc.malloc(ctypes.c_size_t(50_000))))
thread.start()
thread.join()
low, high = heap()
print(low <= found[0] < high)
"""

_COLLECT_AFTER_START = """
import gc
import collector.service
from collector.process import spare_what_stays

class Node:
    pass

spare_what_stays()
old = gc.get_freeze_count()
node = Node()
node.itself = node
del node
print(old > 50_000, len(gc.get_objects()) < old / 10, gc.collect() >= 1)
"""


@pytest.mark.parametrize(("environment", "shared"), [({}, "True"), ({"MALLOC_ARENA_MAX": "8"}, "False")])
def test_threads_share_the_heap_unless_the_environment_says_else(environment: dict[str, str], shared: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", _ALLOCATE_ON_A_THREAD], env=inherited | environment, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == shared


def test_only_what_came_after_the_start_is_looked_at_for_garbage() -> None:
    done = subprocess.run([sys.executable, "-c", _COLLECT_AFTER_START], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["True", "True", "True"]
