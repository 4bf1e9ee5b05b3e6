"""A batch is cut into inserts by the size of its texts, the same way whenever it is written."""

import os

import pyarrow as pa
import pytest

from storage.clickhouse.slices import slices
from storage.schemas import ATTRIBUTES, EVENT


def rows(sizes: list[int]) -> pa.Table:
    """Return rows with a third of the size in each of an attribute, an event's attribute and a plain text."""
    thirds = [os.urandom(size // 3) for size in sizes]
    event = {"time_unix_nano": 1, "name": "", "attribute_types": "s", "dropped_attributes_count": 0}
    return pa.table(
        {
            "attributes": pa.array([[("", third)] for third in thirds], ATTRIBUTES),
            "events": pa.array([[{**event, "attributes": [("", third)]}] for third in thirds], pa.list_(EVENT)),
            "body": pa.array([third[:-1] for third in thirds], pa.binary()),
            "name": pa.array(["same"] * len(sizes), pa.string()).dictionary_encode(),
        }
    )


def lengths(table: pa.Table, limit: int) -> list[int]:
    parts = list(slices(table, limit))
    assert pa.concat_tables(parts).equals(table)
    return [part.num_rows for part in parts]


def test_small_batches_stay_whole():
    table = rows([300] * 10)
    assert list(slices(table)) == [table]
    assert lengths(table, 10**6) == [10]


def test_runs_hold_at_most_the_limit_and_at_least_one_row():
    assert lengths(rows([300] * 10), 1000) == [3, 3, 3, 1]
    assert lengths(rows([300, 9000, 300, 300]), 1000) == [1, 1, 2]
    assert lengths(rows([9000]), 1000) == [1]


@pytest.mark.parametrize("offset", [0, 3])
def test_the_cut_depends_on_values_not_on_buffers(offset):
    sizes = [300, 600, 90, 900, 300, 30, 1500, 300] * 3
    whole = rows(sizes)
    sliced = pa.concat_tables([rows(sizes[:offset]), whole]).combine_chunks().slice(offset)
    copied = pa.Table.from_pylist(whole.to_pylist(), whole.schema)
    expected = lengths(whole, 2000)
    assert len(expected) > 3
    assert lengths(sliced, 2000) == lengths(copied, 2000) == expected


def test_an_empty_table_has_no_rows_to_insert():
    assert [part.num_rows for part in slices(rows([]), 0)] in ([0], [])
