"""One bound on conditions and nesting, in every language a search can be written in."""

from collections.abc import Callable
from typing import Any

import pytest

from collector.query.loki.logql import parse_logql
from collector.query.parse.bounds import MAX_CONDITIONS, MAX_DEPTH
from collector.query.parse.errors import ParseError
from collector.query.parse.where import parse_where
from collector.query.tempo.logfmt import parse_logfmt
from collector.query.tempo.traceql import parse_traceql
from storage.queries import Signal


def where(expression: str) -> Any:
    return parse_where(Signal.TRACES, expression)


CONDITIONS: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "where": (where, lambda count: " AND ".join(["a = 1"] * count)),
    "where, existence": (where, lambda count: " OR ".join(["exists(a)"] * count)),
    "logql matchers": (parse_logql, lambda count: "{" + ",".join(['a="1"'] * count) + "}"),
    "logql line filters": (parse_logql, lambda count: '{} |= "a"' + ' or "a"' * (count - 1)),
    "logql stages": (parse_logql, lambda count: "{}" + "| decolorize" * count),
    "logql conditions": (parse_logql, lambda count: '{a="1"} | json | (' + " or ".join(["a > 1"] * (count - 2)) + ")"),
    "logql in a count": (parse_logql, lambda count: "sum(rate({}" + "| json" * count + "[1m]))"),
    "traceql": (parse_traceql, lambda count: "{" + " || ".join(["(.a = 1)"] * count) + "}"),
    "traceql constants": (parse_traceql, lambda count: "{" + " && ".join(["true"] * count) + "}"),
    "traceql shown": (parse_traceql, lambda count: "{ .a = 1 } | select(" + ",".join([".b"] * (count - 1)) + ")"),
    "logfmt": (parse_logfmt, lambda count: " ".join(f"key{number}=1" for number in range(count))),
}
NESTING: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "where": (where, lambda depth: "(" * depth + "a = 1" + ")" * depth),
    "where, not": (where, lambda depth: "NOT " * depth + "a = 1"),
    "logql": (parse_logql, lambda depth: "(" * depth + "{}" + ")" * depth),
    "logql conditions": (parse_logql, lambda depth: "{} | " + "(" * depth + "a > 1" + ")" * depth),
    "logql, both": (parse_logql, lambda depth: "(" * (depth - 9) + "{} | (((((((((a > 1)))))))))" + ")" * (depth - 9)),
    "traceql": (parse_traceql, lambda depth: "{" + "(" * depth + ".a = 1" + ")" * depth + "}"),
    "traceql, not": (parse_traceql, lambda depth: "{" + "!(" * (depth // 2) + ".a = 1" + ")" * (depth // 2) + "}"),
}


@pytest.mark.parametrize(
    ("parse", "most", "more", "message"),
    [
        pytest.param(parse, written(MAX_CONDITIONS), written(MAX_CONDITIONS + 1), "more than 64 conditions", id=name)
        for name, (parse, written) in CONDITIONS.items()
    ]
    + [
        pytest.param(parse, written(MAX_DEPTH), written(MAX_DEPTH + 2), "deeper than 32 levels", id=f"nesting, {name}")
        for name, (parse, written) in NESTING.items()
    ],
)
def test_bounds(parse: Callable[[str], Any], most: str, more: str, message: str) -> None:
    parse(most)
    with pytest.raises(ParseError, match=message) as caught:
        parse(more)
    assert caught.value.position is not None


def test_conditions_side_by_side_do_not_nest() -> None:
    parse_where(Signal.TRACES, " AND ".join(["(a = 1)"] * MAX_CONDITIONS))
