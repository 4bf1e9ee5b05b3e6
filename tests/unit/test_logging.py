"""What log lines look like."""

import io
import logging
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import orjson
import pytest
import structlog

from collector.logging import RateLimited, configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as other tests expect it."""
    root, show = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    warnings.showwarning = show
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in out.getvalue().splitlines()]


def test_json_lines() -> None:
    out = io.StringIO()
    configure_logging("json", "info", out)
    structlog.get_logger("collector.journal").info("journal_replayed", segments=3)
    structlog.get_logger("collector.journal").debug("too_fine")
    logging.getLogger("grpc._server").warning("from a %s", "library")
    logging.getLogger("uvicorn.error").info("Started server process")

    first, second = lines(out)
    moment = datetime.fromisoformat(str(first.pop("time")))
    assert moment.utcoffset() == timedelta(0)
    assert first == {"level": "info", "event": "journal_replayed", "logger": "collector.journal", "segments": 3}
    assert (second["level"], second["event"], second["logger"]) == ("warning", "from a library", "grpc._server")


def test_a_library_that_repeats_a_warning_is_heard_once() -> None:
    out = io.StringIO()
    configure_logging("json", "info", out)
    for _ in range(3):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("uvicorn.error").error("a defect")
        structlog.get_logger("collector.journal").warning("ours")
    counts = Counter(line["event"] for line in lines(out))
    assert counts == {"Invalid HTTP request received.": 1, "a defect": 3, "ours": 3}


def test_exceptions_do_not_show_values() -> None:
    for format_ in ("json", "console"):
        out = io.StringIO()
        configure_logging(format_, "info", out)  # type: ignore[arg-type]
        attribute_value = "card 4111" + " 1111"
        try:
            raise KeyError(len(attribute_value))
        except KeyError:
            structlog.get_logger().exception("write_failed")
        assert "KeyError: 14" in out.getvalue()
        assert "4111 1111" not in out.getvalue()


def test_auto_is_json_unless_on_a_terminal() -> None:
    out = io.StringIO()
    configure_logging("auto", "info", out)
    structlog.get_logger().info("started")
    assert lines(out)[0]["event"] == "started"

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    configure_logging("auto", "info", terminal)
    structlog.get_logger().info("started", port=4317)
    assert "started" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()


def test_rate_limited_lines_say_how_many_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    configure_logging("json", "info", out)
    noise = RateLimited(structlog.get_logger(), seconds=60)
    for _ in range(5):
        noise.warning("request_rejected", reason="bad_trace_id")
    noise.error("journal_full")
    noise.error("journal_full")
    assert [line["event"] for line in lines(out)] == ["request_rejected", "journal_full"]
    assert [line["level"] for line in lines(out)] == ["warning", "error"]

    eager = RateLimited(structlog.get_logger(), seconds=0)
    eager.warning("request_rejected")
    assert "left_out" not in lines(out)[-1]
    later = time.monotonic() + 61
    monkeypatch.setattr("time.monotonic", lambda: later)
    noise.warning("request_rejected")
    assert lines(out)[-1]["left_out"] == 4
