"""Jaeger's JSON against golden files that were compared with Jaeger itself."""

import json

import pytest

from tests.golden.jaeger_answers import INPUT, answers, golden_file


@pytest.mark.parametrize("name", sorted(answers()))
def test_answer_is_golden(name: str) -> None:
    assert answers()[name] == json.loads(golden_file(name).read_text(encoding="utf-8"))


def test_raw_otlp_is_what_was_sent() -> None:
    """The input has empty values, 64-bit integers as texts and no zero fields: OTLP JSON as we write it."""
    sent = json.loads(INPUT.read_text(encoding="utf-8"))
    for resource in sent["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            scope.setdefault("scope", {})
            for span in scope["spans"]:
                span.setdefault("status", {})
    assert answers()["otlp"] == sent
