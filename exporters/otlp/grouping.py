"""Rows back into OTLP's nesting."""

from collections.abc import Iterable
from typing import TypeVar

from exporters.contexts import ResourceContext, ScopeContext
from exporters.rows import LogRow, SpanRow

Row = TypeVar("Row", SpanRow, LogRow)


def grouped(rows: Iterable[Row]) -> dict[ResourceContext, dict[ScopeContext, list[Row]]]:
    """Group rows by resource, then scope, in order of first appearance; within a scope the order is kept."""
    resources: dict[ResourceContext, dict[ScopeContext, list[Row]]] = {}
    for row in rows:
        resources.setdefault(row.resource, {}).setdefault(row.scope, []).append(row)
    return resources
