"""OTLP messages to the tables that storage would answer, through the real ingest path."""

import numpy as np
import pyarrow as pa
from google.protobuf.message import Message

from collector.otlp.contexts import Contexts
from collector.otlp.decode import Decoder
from collector.otlp.flatten import Received, flatten
from storage.queries import Signal

_DECODER = Decoder()


def table(signal: Signal, *messages: Message | bytes, received_unix_nano: int = 1_800_000_000 * 10**9) -> pa.Table:
    """Return the SPANS or LOGS table of the given TracesData or LogsData (wire-equal to export requests)."""
    bodies = [message if isinstance(message, bytes) else message.SerializeToString() for message in messages]
    decoded = _DECODER.decode(signal, bodies)
    assert -1 not in decoded.rows
    times = np.full(len(messages), received_unix_nano, np.uint64)
    return flatten(signal, Received(decoded.columns, times), Contexts())
