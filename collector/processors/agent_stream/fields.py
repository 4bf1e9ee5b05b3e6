"""The normalised agent fields of many spans at once, from the table of the conventions' keys.

What `agent_transfers.semantics.normalise` says of one span, in columns; a test holds the two together.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.processors.agent_stream.keyed import Keyed, mapped
from collector.processors.agent_transfers.names import clean
from collector.processors.agent_transfers.semantics import normal_operation, operation_in_name, tool_in_name
from collector.processors.agent_transfers.semantics_table import (
    CONVERSATION_IN_METADATA,
    COST_DETAILS,
    FIELD_KEYS,
    KIND_KEYS,
    MAX_COUNT,
    MAX_FIELD_CHARS,
    MODEL_KEYS,
    SPENT_KEYS,
    TOOL_ENTITY_KEYS,
    USAGE_DETAILS,
)
from collector.processors.agent_transfers.values import parse_object, text, unquoted

_TEXT_FIELDS = ("agent_name", "agent_id", "conversation_id", "user_id", "model", "provider", "tool_name")
_NUMBER = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
_IN_METADATA = {"conversation_id": CONVERSATION_IN_METADATA, "agent_name": ("lc_agent_name",)}


def agent_fields(attributes: Keyed, names: pa.DictionaryArray) -> dict[str, pa.Array]:
    """Return the AGENT_SPANS columns that come from attributes: for each field the first key present wins."""
    columns = {field: _first(attributes, FIELD_KEYS[field]) for field in _TEXT_FIELDS}
    columns["conversation_id"] = mapped(columns["conversation_id"].dictionary_encode(), unquoted)
    columns |= _with_metadata({field: columns[field] for field in _IN_METADATA}, attributes.text("metadata"))
    columns["agent_name"] = mapped(columns["agent_name"].dictionary_encode(), clean)
    operation = _operation(attributes, names)
    columns["tool_name"] = _with_named_tools(columns["tool_name"], attributes, names, operation)
    columns = {field: _cut(pc.fill_null(column, "")) for field, column in columns.items()}
    columns["operation"] = operation
    for field, detail in USAGE_DETAILS.items():
        numbers = _first_number(attributes, FIELD_KEYS[field], detail, MAX_COUNT)
        columns[field] = pc.floor(numbers).cast(pa.int64())
    columns["cost_usd"] = _first_number(attributes, FIELD_KEYS["cost_usd"], COST_DETAILS, np.inf)
    return columns


def _cut(texts: pa.StringArray) -> pa.StringArray:
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    return pc.utf8_slice_codeunits(texts, 0, MAX_FIELD_CHARS) if longest > MAX_FIELD_CHARS else texts


def _first(attributes: Keyed, keys: tuple[str, ...]) -> pa.StringArray:
    present = [mapped(found.dictionary_encode(), text) for key in keys if (found := attributes.text(key)) is not None]
    return pc.coalesce(*present, pa.nulls(attributes.rows, pa.string()))


def _first_number(attributes: Keyed, keys: tuple[str, ...], detail: tuple[str, str], below: float) -> pa.DoubleArray:
    """Return the first number from 0 to a bound that a key gives, else one entry of a JSON text."""
    texts = [found for key in keys if (found := attributes.text(key)) is not None]
    if (blob := attributes.text(detail[0])) is not None:
        texts.append(mapped(blob.dictionary_encode(), lambda value: text(parse_object(value).get(detail[1]))))
    numbers = [pc.if_else(pc.match_substring_regex(each, _NUMBER), each, None).cast(pa.float64()) for each in texts]
    bounded = [pc.if_else(pc.less(each, below), each, None) for each in numbers]
    return pc.coalesce(*bounded, pa.nulls(attributes.rows, pa.float64()))


def _operation(attributes: Keyed, names: pa.DictionaryArray) -> pa.StringArray:
    """Return the operations: a telling kind, a telling operation, the span name's, a generic one, a bare model call."""
    kinds = [_less(found, "chain") for key in KIND_KEYS if (found := _normal(attributes, key)) is not None]
    said = [found for key in FIELD_KEYS["operation"] if (found := _normal(attributes, key)) is not None]
    telling = [_less(found, "chain", "task") for found in said]
    calls = attributes.has(*MODEL_KEYS) & attributes.has(*SPENT_KEYS)
    bare = pa.array(np.where(calls, "chat", ""))
    return pc.coalesce(*kinds, *telling, mapped(names, operation_in_name), *said, bare)


def _normal(attributes: Keyed, key: str) -> pa.StringArray | None:
    found = attributes.text(key)
    return None if found is None else mapped(found.dictionary_encode(), lambda value: normal_operation(text(value)))


def _less(operations: pa.StringArray, *generic: str) -> pa.StringArray:
    return pc.if_else(pc.is_in(operations, value_set=pa.array(generic)), None, operations)


def _with_named_tools(
    tools: pa.StringArray, attributes: Keyed, names: pa.DictionaryArray, operation: pa.StringArray
) -> pa.StringArray:
    """Fill in what tool calls without a tool's name are called."""
    lacking = pc.and_(pc.is_null(tools), pc.equal(operation, "execute_tool"))
    if not pc.any(lacking).as_py():
        return tools
    found = pc.coalesce(mapped(names, tool_in_name), _first(attributes, TOOL_ENTITY_KEYS), names.cast(pa.string()))
    return pc.if_else(lacking, found, tools)


def _with_metadata(columns: Mapping[str, pa.StringArray], metadata: pa.StringArray | None) -> dict[str, pa.StringArray]:
    """Fill what is missing from a framework's JSON metadata; only what needs it is parsed."""
    filled = dict(columns)
    for field, keys in _IN_METADATA.items() if metadata is not None else ():
        lacking = pc.if_else(pc.is_null(columns[field]), metadata, None)
        telling = pc.match_substring_regex(lacking, "|".join(map(re.escape, keys)))
        blobs = pc.if_else(telling, lacking, None)
        if blobs.null_count < len(blobs):
            filled[field] = pc.coalesce(columns[field], mapped(blobs.dictionary_encode(), _entry(keys)))
    return filled


def _entry(keys: tuple[str, ...]) -> Callable[[str], str]:
    """Return a function that reads the first of some entries out of a JSON text."""

    def read(blob: str) -> str:
        entries = parse_object(blob)
        return next((found for key in keys if (found := text(entries.get(key)))), "")

    return read
