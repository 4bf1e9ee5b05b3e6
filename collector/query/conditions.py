"""`attr` and `where` parameters together as one storage filter."""

from collections.abc import Sequence
from functools import partial

from collector.query.parse.bounds import MAX_CONDITIONS
from collector.query.parse.conditions import parse_attribute
from collector.query.parse.where import parse_where
from collector.query.problems import Problem, read
from storage.queries import AllOf, Filter, Signal

ATTR_DESCRIPTION = (
    "Attribute condition, repeatable, all must hold: `key=value`, `key!=value`, `key>1`, `key>=1`, `key<1`, `key<=1`, "
    "`key contains text`, `key=~regex`, or a key alone for “exists”. The value is everything behind the operator."
)
WHERE_DESCRIPTION = (
    "Expression with AND, OR, NOT and parentheses over `key operator value`, `key contains text`, "
    "`key matches regex` and `exists(key)`. Keys may start with a level (`resource.`, `scope.`, `span.`, `event.`, "
    "`link.`, `log.`) or be a field (`span:name`, `span:duration`, `log:body` …); quote keys and values with odd "
    "characters."
)


def read_filter(signal: Signal, attr: Sequence[str], where: str | None) -> Filter | None:
    """Return the filter that both parameters make, or None."""
    if len(attr) > MAX_CONDITIONS:
        raise Problem("bad-parameter", "too many conditions", parameter="attr", limit=MAX_CONDITIONS)
    parts: list[Filter] = [read("attr", partial(parse_attribute, signal), text) for text in attr]
    if where is not None:
        parts.append(read("where", partial(parse_where, signal), where))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))
