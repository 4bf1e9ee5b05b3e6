"""Durations as Go prints them, for warnings that must read like Jaeger's."""

_SMALL_UNITS = (("µs", 1_000), ("ms", 1_000_000))


def format_duration(nanoseconds: int) -> str:
    """Return what Go's `time.Duration.String` gives: 0s, 150ns, 1.5ms, -2m3.5s, 1h0m0s."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest < 1_000:
        return f"{sign}{rest}ns"
    if rest < 1_000_000_000:
        unit, size = _SMALL_UNITS[rest >= 1_000_000]
        return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, 60 * 1_000_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, size: int) -> str:
    whole, fraction = divmod(value, size)
    digits = str(fraction).rjust(len(str(size)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
