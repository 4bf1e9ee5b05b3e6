"""Serialised requests that are made unique in place: new ids, new times, new high-cardinality text.

The generator shares its cores with the server it drives, so nothing is built or serialised between two sends: numpy
overwrites the words at known places (about 50 µs for 512 spans) and the buffer is copied once. Ids are the template's
random ids exclusive-or one random word for each request, which keeps parents valid and ids of one trace together.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from collector.bench.messages import REFERENCE_UNIX_NANO, logs_request, trace_request
from collector.bench.slots import TRACE_HIGH, Slots, Words, serialise

_HEX_PAIRS = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)
_TEXT_POOL_WORDS = 1 << 20
_TENS = np.array([10**power for power in range(18, -1, -1)], np.uint64)


class Template:
    """One request, rendered as often as wanted, never twice alike. Not for use by two threads at once."""

    def __init__(self, body: bytes, slots: Slots, items: int, as_json: bool, texts: Words) -> None:
        """Take what `collector.bench.slots.serialise` returned, and the words that `request.id` is made of."""
        self.items = items
        self._buffer = bytearray(body)
        self._words = np.ndarray((len(body) - 7,), "<u8", self._buffer, strides=(1,))  # a word at every byte
        self._bytes = np.ndarray((len(body),), np.uint8, self._buffer)
        self._slots = slots
        self._texts = texts
        self._write = self._write_json if as_json else self._write_binary
        self._rng = np.random.default_rng()
        self._nonces = np.zeros(3, np.uint64)

    def render(self, now_unix_nano: int) -> bytes:
        """Return the request with ids never used before, its latest times just before `now_unix_nano`."""
        slots = self._slots
        self._nonces = self._rng.integers(0, 2**64, 3, np.uint64)
        shift = np.uint64((now_unix_nano - REFERENCE_UNIX_NANO) % 2**64)
        self._write(slots.id_base ^ self._nonces[slots.id_nonce], slots.time_base + shift)
        start = int(self._rng.integers(0, len(self._texts) - len(slots.text_at)))
        self._words[slots.text_at] = self._texts[start : start + len(slots.text_at)]
        return bytes(self._buffer)

    def some_trace_id(self) -> bytes:
        """Return a trace id of the last rendered request, or nothing when no item has one."""
        high = np.flatnonzero(self._slots.id_nonce == TRACE_HIGH)[:1]
        words = self._slots.id_base[[*high, *(high + 1)]] ^ self._nonces[: 2 * len(high)]
        return words.astype("<u8").tobytes()

    def _write_binary(self, ids: Words, times: Words) -> None:
        self._words[self._slots.id_at] = ids
        self._words[self._slots.time_at] = times

    def _write_json(self, ids: Words, times: Words) -> None:
        text = _HEX_PAIRS[ids.astype("<u8").view(np.uint8)].view("<u8").reshape(-1, 2)
        self._words[self._slots.id_at] = text[:, 0]
        self._words[self._slots.id_at + 8] = text[:, 1]
        digits = (times[:, None] // _TENS % np.uint64(10)).astype(np.uint8) + np.uint8(ord("0"))
        self._bytes[self._slots.time_at[:, None] + np.arange(len(_TENS))] = digits


def trace_templates(count: int, spans: int, *, as_json: bool = False, agentic: float = 0.0) -> list[Template]:
    """Return `count` different requests of `spans` spans; see `trace_request` for `agentic`."""
    return _templates([trace_request(seed, spans, agentic) for seed in range(count)], as_json)


def logs_templates(count: int, records: int, *, as_json: bool = False) -> list[Template]:
    """Return `count` different requests of `records` log records."""
    return _templates([logs_request(seed, records) for seed in range(count)], as_json)


def _templates(messages: Sequence[Any], as_json: bool) -> list[Template]:
    return [Template(*serialise(message, as_json), as_json, _text_pool()) for message in messages]


@cache
def _text_pool() -> Words:
    """Return a million words of eight random hex characters; each request takes a run of them."""
    return np.frombuffer(np.random.default_rng().bytes(_TEXT_POOL_WORDS * 4).hex().encode(), "<u8")
