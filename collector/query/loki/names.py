"""Label names, label values and series: what a query editor offers."""

from typing import Any

from collector.query.loki.entries import find_entries
from collector.query.loki.labels import (
    DETECTED_LEVEL,
    LEVEL,
    LEVEL_NAMES,
    SERVICE,
    Labels,
    label_name,
    level_of,
    sender_labels,
)
from collector.query.loki.plan import Plan, plan
from collector.query.loki.syntax import LogSelection
from exporters.contexts import resource_context
from storage.api import Storage
from storage.queries import Level, Signal, TimeRange

_SERVICE_KEY = "service.name"
_MAX_KEYS, _MAX_VALUES = 1_000, 1_000
_SERIES_SAMPLE = 2_000  # newest entries whose streams are listed


def label_names(storage: Storage) -> list[str]:
    """Return the stream labels, sorted."""
    keys = storage.attribute_keys(Signal.LOGS, Level.RESOURCE, limit=_MAX_KEYS)
    return sorted({LEVEL, SERVICE, *(label_name(key) for key in keys if key not in {"", _SERVICE_KEY})})


def label_values(storage: Storage, name: str, wanted: Plan, time: TimeRange) -> list[str]:
    """Return the values of a stream label, sorted: those of the selection and the time range.

    Without a selection, of all records ever, which costs next to nothing; a wider answer is allowed.
    """
    if name in {LEVEL, DETECTED_LEVEL}:
        counted = storage.count_logs(wanted.query(time, 1), max(time.end - time.start, 1))
        found = {level_of(severity) for _, severity, _ in counted}
        return [level for level in LEVEL_NAMES if level in found]
    if wanted.is_narrow:
        senders = storage.log_streams(wanted.query(time, 1))
        labels = (sender_labels(each.service_name, resource_context(each.resource)) for each in senders)
        return sorted({found[name] for found in labels if name in found})
    if name == SERVICE:
        return storage.services()
    keys = storage.attribute_keys(Signal.LOGS, Level.RESOURCE, limit=_MAX_KEYS)
    values = {
        text
        for key in keys
        if label_name(key) == name and key != _SERVICE_KEY
        for text, _ in storage.attribute_values(Signal.LOGS, key, Level.RESOURCE, limit=_MAX_VALUES)
    }
    return sorted(values)


def series(storage: Storage, selections: list[LogSelection], time: TimeRange) -> list[Labels]:
    """Return the label sets of the streams among the newest entries that match one of the selections."""
    found: dict[tuple[tuple[str, str], ...], Labels] = {}
    for selection in selections:
        for entry in find_entries(storage, plan(selection, storage), time, _SERIES_SAMPLE, oldest_first=False):
            found.setdefault(tuple(sorted(entry.stream.items())), entry.stream)
    return list(found.values())


def stats(storage: Storage, selection: LogSelection, time: TimeRange) -> dict[str, Any]:
    """Return how much a query would read; bytes and chunks are not known here."""
    counted = storage.count_logs(plan(selection, storage).query(time, 1), max(time.end - time.start, 1))
    entries = sum(count for _, _, count in counted)
    return {"streams": 0, "chunks": 0, "entries": entries, "bytes": 0}
