"""The signals that stop a process, sent to a real one."""

import signal
import subprocess
import sys
import time

import pytest

WAITS = """
import time
from collector.signals import StopSignal
stop = StopSignal()
print("waiting", flush=True)
print(stop.wait(), flush=True)
time.sleep(10)
"""


@pytest.mark.parametrize("pause", [0.0, 0.8])
def test_a_second_signal_ends_at_once_unless_it_is_the_first_one_again(pause: float) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "SIGTERM\n"
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        if pause:
            assert process.wait(5) == 128 + signal.SIGINT
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.kill()
