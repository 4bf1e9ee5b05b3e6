"""A serving process has one heap: in a process of its own, because it cannot be taken back."""

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


@pytest.mark.parametrize(("environment", "shared"), [({}, "True"), ({"MALLOC_ARENA_MAX": "8"}, "False")])
def test_threads_share_the_heap_unless_the_environment_says_else(environment: dict[str, str], shared: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    done = subprocess.run(
        [sys.executable, "-c", _ALLOCATE_ON_A_THREAD], env=inherited | environment, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == shared
