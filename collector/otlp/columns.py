"""Lists of KeyValue messages as the attribute columns of `storage.schemas`."""

import numpy as np
import pyarrow as pa

from collector.otlp.any_value import any_values
from collector.otlp.texts import as_text


def attributes(lists: pa.ListArray) -> tuple[pa.MapArray, pa.StringArray]:
    """Turn lists of KeyValue into (`attributes` map, `attribute_types` letters), one entry per list."""
    pairs = lists.flatten()
    texts, codes = any_values(pairs.field("value"))
    keys = as_text(pairs.field("key"))
    offsets = lists.offsets
    maps = pa.MapArray.from_arrays(offsets, keys, texts)
    # one letter is one byte, so the map's offsets are the letters' offsets too
    types = pa.Array.from_buffers(
        pa.string(), len(lists), [None, pa.py_buffer(offsets.to_numpy().astype(np.int32)), pa.py_buffer(codes)]
    )
    return maps, types
