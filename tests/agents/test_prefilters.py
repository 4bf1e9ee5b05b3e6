"""The cheap tests that select rows at ingest must let every group through that holds a transfer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from collector.processors.agent_transfers import grouping
from collector.processors.agent_transfers.model import LogRecord, Span
from collector.processors.agent_transfers.options import DEFAULT_LOG_PATTERNS
from tests.agents.harness import Scenario, detect_store, load

PATTERNS = {
    name: getattr(grouping, name)
    for name in ("AGENT_NAME_PATTERN", "AGENT_SCOPE_PATTERN", "AGENT_KEY_PATTERN", "TRANSFER_LOG_PATTERN")
}


def matches(pattern: str, text: str) -> bool:
    """Match as the ingest side does, with RE2."""
    return bool(pc.match_substring_regex(pa.array([text]), pattern)[0].as_py())


def is_agentic(span: Span) -> bool:
    keys = span.attributes
    return (
        any(key in grouping.AGENT_ATTRIBUTE_KEYS or key.startswith(grouping.AGENT_KEY_PREFIXES) for key in keys)
        or re.search(PATTERNS["AGENT_NAME_PATTERN"], span.name) is not None
        or re.search(PATTERNS["AGENT_SCOPE_PATTERN"], span.scope_name) is not None
    )


def may_transfer(record: LogRecord) -> bool:
    body = record.body if isinstance(record.body, str) else json.dumps(record.body)
    return matches(PATTERNS["TRANSFER_LOG_PATTERN"], body)


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_re2(name: str) -> None:
    assert matches(PATTERNS[name], "x") in {True, False}


def test_every_transfer_survives_the_cheap_tests() -> None:
    scenarios = load()
    missed = [scenario.name for scenario in scenarios if not _same_after(scenario)]
    assert missed == []


def _same_after(scenario: Scenario) -> bool:
    rows = detect_store(scenario.spans, scenario.logs)
    agentic = {span.trace_id for span in scenario.spans if is_agentic(span)}
    logs = [record for record in scenario.logs if may_transfer(record)]
    wanted = agentic | {record.trace_id for record in logs}
    kept = detect_store([span for span in scenario.spans if span.trace_id in wanted], logs)
    return sorted(row.id for row in rows) == sorted(row.id for row in kept)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("acme.agent.name", True),
        ("agentName", True),
        ("acme.from_agent", True),
        ("x.sub_agent.id", True),
        ("acme.handoff.target", True),
        ("traceloop.association.properties.langgraph_node", True),
        ("user_agent.original", False),
        ("http.user_agent", False),
        ("http.route", False),
        ("management.id", False),
    ],
)
def test_keys_of_unknown_conventions(key: str, expected: bool) -> None:
    assert matches(grouping.AGENT_KEY_PATTERN, key) is expected


def test_configured_patterns_widen_the_log_prefilter() -> None:
    widened = grouping.log_prefilter([r"moved (?P<source>\w+) to (?P<target>\w+)"])
    assert matches(widened, "moved a to b")
    assert matches(widened, "[Agent Transfer] a → b")
    assert not matches(widened, "GET /health 200")


def test_default_patterns_are_within_the_log_prefilter() -> None:
    lines = {
        "log_arrow": "[agent transfer] a -> b",
        "log_transferring": "TRANSFERRING TO AGENT: b",
        "log_delegates": "Agent a delegates to agent b",
    }
    assert set(lines) == {rule for rule, _, _ in DEFAULT_LOG_PATTERNS}
    assert all(matches(grouping.TRANSFER_LOG_PATTERN, line) for line in lines.values())


def test_no_rule_reads_files_or_the_network() -> None:
    """The rules are pure: nothing in them imports storage, servers or I/O."""
    folder = Path(grouping.__file__).parent
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:storage|os|io|socket|pathlib|time|random|asyncio|subprocess)\b", re.MULTILINE
    )
    assert [path.name for path in folder.rglob("*.py") if forbidden.search(path.read_text())] == []
