"""docs/agents.md names every rule, kind and limit as the code has it."""

import re
from pathlib import Path
from typing import get_args

import yaml

from collector.config.processors import AgentTransfers
from collector.processors.agent_stream.evaluate import MAX_RECORDS
from collector.processors.agent_stream.portion import MAX_SPANS
from collector.processors.agent_stream.worker import GROUP_CPU_SECONDS
from collector.processors.agent_transfers import grouping, options
from collector.processors.agent_transfers.names import MAX_NAME_CHARS
from collector.processors.agent_transfers.rules.registry import RULE_NAMES
from collector.processors.agent_transfers.semantics_table import MAX_FIELD_CHARS
from collector.query.agents.transfers import Kind

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return a section without its subsections."""
    found = re.search(rf"^##+ {title}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def first_cells(title: str) -> list[str]:
    return re.findall(r"^\| `?([^`|]+?)`? \|", section(title), re.MULTILINE)[1:]


def test_every_rule_is_explained() -> None:
    assert sorted(name for name in first_cells("How they are found")) == sorted(RULE_NAMES)


def test_rules_say_their_signal() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section("How they are found"), re.MULTILINE))
    assert {name for name, signal in rows.items() if signal == "log"} == {n for n in RULE_NAMES if n.startswith("log_")}


def test_every_kind_is_explained() -> None:
    assert sorted(first_cells("What a transfer is")) == sorted(get_args(Kind))


def test_limits_are_those_of_the_code() -> None:
    rows = dict(re.findall(r"^\| (.+?) \| (.+?) \|", section("Limits"), re.MULTILINE))
    assert rows["spans of a trace that the rules look at"] == f"{grouping.MAX_GROUP_SPANS:,}"
    assert rows["traces of one group"] == f"{grouping.MAX_GROUP_TRACES}, or {MAX_SPANS:,} spans"
    assert rows["processor time of the rules for one group"] == f"{GROUP_CPU_SECONDS:.0f} s"
    assert rows["log records without a trace, of one service in a minute"] == f"{MAX_RECORDS:,}"
    assert rows["names of agents"] == f"{MAX_NAME_CHARS} characters"
    assert rows["ids, users, models, providers and tools of agents"] == f"{MAX_FIELD_CHARS} characters"
    assert rows["a log line"] == f"{options.MAX_LINE_CHARS} characters"
    assert grouping.JOIN_GAP_NANO == 10 * 10**9
    assert grouping.JOIN_BUCKET_NANO == 3600 * 10**9


def test_the_example_is_a_valid_configuration() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example
    written = AgentTransfers.model_validate(yaml.safe_load(example[1])["processors"]["agent_transfers"])
    assert written.options().disabled_rules == {"agent_sequence"}
