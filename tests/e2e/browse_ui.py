"""Opens the pages of a Jaeger UI build in a headless Chromium. `make test-ui` runs it; `make test` does not collect it.

BATON_UI_DIR names the build (the folder with index.html and static/), BATON_CHROMIUM the browser when it is not found
by one of its usual names. What is missing is a failure, never a skip.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from collector.bench.api import Api
from collector.bench.server import ServerProcess
from collector.demo.run import send

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The browser's clock runs ahead while nothing is on the way, so this is the page's time, not ours.
_PAGE_MILLISECONDS = 15_000


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows as one line of text, and the errors that its scripts did not catch."""

    text: str
    errors: list[str]


class Browser:
    """Opens one page at a time, each in a browser of its own."""

    def __init__(self, program: str, base_url: str, folder: Path, traces: list[str]) -> None:
        self._command = [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
            "--window-size=1500,950",
            f"--user-data-dir={folder}",
            f"--virtual-time-budget={_PAGE_MILLISECONDS}",
            "--dump-dom",
        ]
        self._base_url = base_url
        self.traces = traces

    def open(self, path: str) -> Page:
        done = subprocess.run(
            [*self._command, self._base_url + path], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        body = re.sub(r"(?s)^.*?<body[^>]*>|<(script|style)\b.*?</\1>", "", done.stdout)
        text = " ".join(unescape(re.sub(r"<wbr[^>]*>", "", re.sub(r"<(?!wbr)[^>]*>", " ", body))).split())
        console = re.findall(r':CONSOLE[^"]*"((?s:.*?))", source:', done.stderr)
        return Page(text, [line for line in console if line.startswith("Uncaught")])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    build = os.environ.get("BATON_UI_DIR", "")
    assert build, "BATON_UI_DIR is not set: make test-ui BATON_UI_DIR=<a Jaeger UI build>"
    assert (Path(build) / "index.html").is_file(), f"BATON_UI_DIR={build}: no Jaeger UI build here"
    program = os.environ.get("BATON_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    assert program, f"none of {', '.join(_NAMES)} is on the PATH: install Chromium, or set BATON_CHROMIUM"
    settings = {"extensions": {"query": {"ui_dir": build}}}
    with ServerProcess(tmp_path_factory.mktemp("server"), settings) as server:
        sent = send(server.endpoints.otlp_grpc, conversations=6, seed=3)
        api = Api(server.endpoints.query)
        deadline = time.monotonic() + 20
        while api.json("/api/v1/ledger")["traces"]["stored"] < sent.spans:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        api.close()
        traces = [told.trace_id for told in sent.told]
        yield Browser(program, f"http://{server.endpoints.query}", tmp_path_factory.mktemp("profile"), traces)


def check(page: Page, *expected: str) -> None:
    assert page.errors == []
    assert [text for text in expected if text not in page.text] == [], page.text[:2000]


def test_search_form(browser: Browser) -> None:
    check(browser.open("/search"), "Service", "Find Traces", "System Architecture", "Monitor")


def test_search_results(browser: Browser) -> None:
    page = browser.open("/search?service=web-frontend&limit=20&lookback=1h")
    check(page, "web-frontend (2)", "Spans", "agent-orchestrator (", "Download Results")
    assert re.search(r"\d+ Traces?\b", page.text)


def test_a_search_without_results(browser: Browser) -> None:
    check(browser.open("/search?service=web-frontend&limit=20&lookback=1h&minDuration=1h"), "No trace results")


def test_a_trace_by_its_address(browser: Browser) -> None:
    page = browser.open(f"/trace/{browser.traces[0]}")
    check(page, "web-frontend POST /chat", browser.traces[0][:7], "Total Spans", "agent-orchestrator", "Depth")


def test_a_transfer_found_on_the_trace_page(browser: Browser) -> None:
    pages = (browser.open(f"/trace/{trace_id}?uiFind=agent.transfer") for trace_id in browser.traces)
    assert any("agent transfer" in page.text and "from_agent" in page.text for page in pages)


def test_comparison(browser: Browser) -> None:
    first, second = browser.traces[:2]
    check(browser.open(f"/trace/{first}...{second}"), first[:7], second[:7], "VS", "api-gateway")


def test_system_architecture(browser: Browser) -> None:
    check(browser.open("/dependencies"), "Focal Service", "web-frontend", "api-gateway")


def test_monitor(browser: Browser) -> None:
    page = browser.open("/monitor")
    check(page, "Latency (", "Error rate (%)", "Request rate (req/s)", "POST /converse")


def test_a_trace_that_is_not_there(browser: Browser) -> None:
    page = browser.open(f"/trace/{'0' * 29}abc")
    assert "HTTP Error: trace not found Status 404" in page.text
