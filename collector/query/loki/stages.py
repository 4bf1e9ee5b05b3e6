"""The stages of a log pipeline that run on records: labels read from the line, label conditions, dropped labels."""

import re
from collections.abc import Sequence

import orjson

from collector.query.loki.labels import Labels, label_name
from collector.query.loki.plan import holds
from collector.query.loki.syntax import Both, Either, LabelFilter, LineFilter, Matcher, NumberTest, Parse, Pick, Stage
from collector.query.loki.tokens import unquoted
from collector.query.parse.durations import parse_duration
from collector.query.parse.errors import ParseError

ERROR = "__error__"
_MAX_LABELS = 500  # read from one line
_MAX_DEPTH = 100  # of objects in one another; what is deeper is left out
_PAIR = re.compile(r'([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)', re.DOTALL)


def run(stages: Sequence[Stage], line: str, labels: Labels) -> Labels | None:
    """Return the labels after all stages (a new dictionary), or None when the record is filtered out."""
    found = dict(labels)
    for stage in stages:
        match stage:
            case Parse("json"):
                _merge(found, _json(line))
            case Parse():
                _merge(found, _logfmt(line))
            case Pick(drops, names):
                found = {name: text for name, text in found.items() if (name in names) != drops}
            case LineFilter():
                pass  # storage has done it
            case _:
                if not _satisfies(stage, found):
                    return None
    return found


def _merge(labels: Labels, read: Labels) -> None:
    """Add labels read from a line; one that is there already gets the suffix that Loki gives it."""
    for name, text in read.items():
        labels[f"{name}_extracted" if name in labels and name != ERROR else name] = text


def _satisfies(part: LabelFilter, labels: Labels) -> bool:
    match part:
        case Both(parts):
            return all(_satisfies(inner, labels) for inner in parts)
        case Either(parts):
            return any(_satisfies(inner, labels) for inner in parts)
        case Matcher(name):
            return holds(part, labels.get(name, ""))
        case NumberTest(name, operator, wanted):
            number = _number(labels.get(name, ""))
            return number is not None and _compare(number, operator, wanted)


def _compare(number: float, operator: str, wanted: float) -> bool:
    match operator:
        case "==":
            return number == wanted
        case "!=":
            return number != wanted
        case ">":
            return number > wanted
        case ">=":
            return number >= wanted
        case "<":
            return number < wanted
        case _:
            return number <= wanted


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_duration(text) / 1e9
    except ParseError:
        return None


def _json(line: str) -> Labels:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {ERROR: "JSONParserErr"}
    if not isinstance(value, dict):
        return {ERROR: "JSONParserErr"}
    found: Labels = {}
    _flatten("", value, found, _MAX_DEPTH)
    return found


def _flatten(prefix: str, value: dict[str, object], found: Labels, depth: int) -> None:
    """Add members as labels, nested ones joined by an underscore; arrays are left out, as in Loki."""
    for key, member in value.items():
        name = label_name(f"{prefix}{key}")
        if len(found) >= _MAX_LABELS or member is None or isinstance(member, list):
            continue
        if isinstance(member, dict):
            if depth > 1:
                _flatten(f"{name}_", member, found, depth - 1)
        else:
            found[name] = member if isinstance(member, str) else orjson.dumps(member).decode()


def _logfmt(line: str) -> Labels:
    found: Labels = {}
    for match in _PAIR.finditer(line):
        if len(found) >= _MAX_LABELS:
            break
        text = match[2]
        found[label_name(match[1])] = unquoted(text) if text.startswith('"') else text
    return found
