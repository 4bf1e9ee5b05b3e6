"""The normalised agent fields of many spans at once, from the table of the conventions' keys."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.processors.agent_transfers.semantics import normal_operation
from collector.processors.agent_transfers.semantics_table import FIELD_KEYS, MAX_COUNT
from collector.processors.agent_transfers.values import parse_object

_TEXT_FIELDS = ("agent_name", "agent_id", "conversation_id", "user_id", "model", "provider", "tool_name")
_COUNT_FIELDS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
_NUMBER = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
# a generic operation gives way to a more telling one
_WEAK_OPERATIONS = frozenset({"chain", "task"})
_CONVERSATION_IN_METADATA = ("session_id", "conversation_id", "thread_id")
_IN_METADATA = re.compile("|".join(_CONVERSATION_IN_METADATA))


@dataclass(frozen=True, slots=True)
class Keyed:
    """The attributes of spans, addressed by key."""

    rows: int
    offsets: NDArray[np.int32]
    codes: NDArray[np.int32]  # of each entry's key
    code_of: dict[str, int]
    values: pa.BinaryArray

    @staticmethod
    def of(spans: pa.Table) -> "Keyed":
        """Index the attributes of a SPANS table that has one chunk."""
        tags = spans["attributes"].chunk(0)
        encoded = tags.keys.dictionary_encode()
        code_of = {key: code for code, key in enumerate(encoded.dictionary.to_pylist())}
        return Keyed(spans.num_rows, tags.offsets.to_numpy(), encoded.indices.to_numpy(), code_of, tags.items)

    def text(self, key: str) -> pa.StringArray | None:
        """Return the texts of a key, null where a span has none; None when no span has the key. Last one wins."""
        code = self.code_of.get(key)
        if code is None:
            return None
        entries = np.flatnonzero(self.codes == code)
        at = np.full(self.rows, -1, np.int64)
        at[np.searchsorted(self.offsets, entries, side="right") - 1] = entries
        taken = self.values.take(pa.array(at, mask=at < 0))
        return _utf8(taken)


def agent_fields(attributes: Keyed, names: pa.DictionaryArray) -> dict[str, pa.Array]:
    """Return the AGENT_SPANS columns that come from attributes: for each field the first key present wins."""
    columns = {field: _first(attributes, FIELD_KEYS[field]) for field in _TEXT_FIELDS}
    columns["conversation_id"] = _with_metadata(columns["conversation_id"], attributes.text("metadata"))
    columns = {field: pc.fill_null(column, "") for field, column in columns.items()}
    columns["operation"] = _operation(attributes, names)
    for field in _COUNT_FIELDS:
        numbers = _numbers(_first(attributes, FIELD_KEYS[field]))
        columns[field] = pc.floor(pc.if_else(pc.less(numbers, MAX_COUNT), numbers, None)).cast(pa.int64())
    columns["cost_usd"] = _numbers(_first(attributes, FIELD_KEYS["cost_usd"]))
    return columns


def _first(attributes: Keyed, keys: tuple[str, ...]) -> pa.StringArray:
    present = [text for key in keys if (text := attributes.text(key)) is not None]
    nothing = pa.nulls(attributes.rows, pa.string())
    return pc.coalesce(*[pc.if_else(pc.equal(text, ""), None, text) for text in present], nothing)


def _numbers(texts: pa.StringArray) -> pa.DoubleArray:
    return pc.if_else(pc.match_substring_regex(texts, _NUMBER), texts, None).cast(pa.float64())


def _operation(attributes: Keyed, names: pa.DictionaryArray) -> pa.StringArray:
    strong, weak = [], []
    for key in FIELD_KEYS["operation"]:
        text = attributes.text(key)
        if text is not None:
            normal = _mapped(text.dictionary_encode(), normal_operation)
            is_weak = pc.is_in(normal, value_set=pa.array(sorted(_WEAK_OPERATIONS)))
            strong.append(pc.if_else(is_weak, None, normal))
            weak.append(normal)
    return pc.coalesce(*strong, _mapped(names, _named_operation), *weak, pa.scalar(""))


def _named_operation(name: str) -> str:
    """Return the operation that a span name starts with, as in `invoke_agent billing`; names in prose have none."""
    first = name.partition(" ")[0]
    return normal_operation(first) if "_" in first or first in {"chat", "embeddings"} else ""


def _mapped(column: pa.DictionaryArray, mapping: Callable[[str], str]) -> pa.StringArray:
    """Map the distinct texts; an empty result is null."""
    mapped = pa.array([mapping(value) or None for value in column.dictionary.to_pylist()], pa.string())
    return mapped.take(column.indices)


def _with_metadata(conversations: pa.StringArray, metadata: pa.StringArray | None) -> pa.StringArray:
    """Fill what is missing from a framework's JSON metadata; only rows that need it are parsed."""
    if metadata is None:
        return conversations
    candidates = pc.and_(pc.is_null(conversations), pc.match_substring_regex(metadata, _IN_METADATA.pattern))
    rows = np.flatnonzero(pc.fill_null(candidates, False).to_numpy(zero_copy_only=False))
    if not rows.size:
        return conversations
    filled = conversations.to_pylist()
    for row, blob in zip(rows.tolist(), metadata.take(pa.array(rows)).to_pylist(), strict=True):
        entries = parse_object(blob)
        found = (entries.get(key) for key in _CONVERSATION_IN_METADATA)
        filled[row] = next((str(value) for value in found if value), None)
    return pa.array(filled, pa.string())


def _utf8(raw: pa.BinaryArray) -> pa.StringArray:
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:  # bytes and nested values have no text
        return pa.array([None if v is None else v.decode("utf-8", "replace") for v in raw.to_pylist()], pa.string())
