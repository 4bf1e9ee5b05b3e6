"""CPU, memory and disk of a running process, from /proc (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have used so far."""

    cpu_seconds: float  # user and system, ended children included
    peak_rss_bytes: int  # VmHWM; of several processes the sum
    rss_bytes: int
    anonymous_bytes: int  # the part of `rss_bytes` that is not files


def usage(pid: int) -> Usage:
    """Return the usage of a process and its living descendants. Raises FileNotFoundError when it has ended."""
    parts = [_one(process) for process in _family(pid)]
    return Usage(
        cpu_seconds=sum(part.cpu_seconds for part in parts),
        peak_rss_bytes=sum(part.peak_rss_bytes for part in parts),
        rss_bytes=sum(part.rss_bytes for part in parts),
        anonymous_bytes=sum(part.anonymous_bytes for part in parts),
    )


def bytes_under(folder: Path, leave_out: str | None = None) -> int:
    """Return the disk space of all files in a folder, each inode once, without the subfolder named `leave_out`."""
    sizes: dict[int, int] = {}
    for root, folders, files in os.walk(folder):
        if leave_out in folders:
            folders.remove(leave_out)
        for name in files:
            try:
                status = (Path(root) / name).stat()
            except FileNotFoundError:  # merged away while we look
                continue
            sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def _family(pid: int) -> list[int]:
    family = [pid]
    for process in family:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            family += [int(child) for child in children.read_text().split()]
    return family


def _one(pid: int) -> Usage:
    # After the command's closing parenthesis: state is field 3, utime, stime, cutime and cstime are 14 to 17 (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    memory = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Usage(
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        peak_rss_bytes=_kib(memory, "VmHWM"),
        rss_bytes=_kib(memory, "VmRSS"),
        anonymous_bytes=_kib(memory, "RssAnon"),
    )


def _kib(memory: dict[str, str], key: str) -> int:
    return int(memory.get(key, "0 kB").split()[0]) * 1024
