"""Services, operations, attribute keys and values."""

from storage.agents import AgentStorage
from storage.queries import Level, Operation, Signal
from tests.contract.items import batch, event, link, log, resource, scope, span


def test_services_of_both_signals(store: AgentStorage) -> None:
    store.write(batch([span(service_name="b"), span(service_name="a")], [log(service_name="only-logs")]))
    store.write(batch([span(service_name="b")]))
    assert store.services() == ["a", "b", "only-logs"]


def test_operations(store: AgentStorage) -> None:
    store.write(
        batch(
            [
                span(service_name="b", name="x", kind=2),
                span(service_name="b", name="x", kind=2),
                span(service_name="b", name="x", kind=3),
                span(service_name="a", name="ÿ\x00", kind=1),
            ]
        )
    )
    everything = [Operation("a", "ÿ\x00", 1), Operation("b", "x", 2), Operation("b", "x", 3)]
    assert store.operations() == everything
    assert store.operations("b") == everything[1:]
    assert store.operations("b", 3) == everything[2:]
    assert store.operations(kind=1) == everything[:1]
    assert store.operations("nobody") == []


ROWS = [
    span(
        [("item.one", "1"), ("item.two", "2")],
        events=[event("event", [("event.key", "e")])],
        links=[link([("link.key", "l")])],
        resource=resource("shop", host="node"),
        scope=scope("library", "1", team="blue"),
    )
]


def test_attribute_keys(store: AgentStorage) -> None:
    store.write(batch(ROWS, [log("hello", [("log.key", "x")])]))
    assert store.attribute_keys(Signal.TRACES) == ["item.one", "item.two"]
    assert store.attribute_keys(Signal.TRACES, prefix="item.t") == ["item.two"]
    assert store.attribute_keys(Signal.TRACES, limit=1) == ["item.one"]
    assert store.attribute_keys(Signal.TRACES, Level.EVENT) == ["event.key"]
    assert store.attribute_keys(Signal.TRACES, Level.LINK) == ["link.key"]
    assert store.attribute_keys(Signal.TRACES, Level.RESOURCE) == ["host", "service.name"]
    assert store.attribute_keys(Signal.TRACES, Level.SCOPE) == ["team"]
    assert store.attribute_keys(Signal.LOGS) == ["log.key"]
    assert store.attribute_keys(Signal.LOGS, Level.EVENT) == []
    assert {"item.one", "event.key", "link.key", "host", "team"} <= set(store.attribute_keys(Signal.TRACES, Level.ANY))


def test_attribute_values_most_frequent_first(store: AgentStorage) -> None:
    rows = [span([("k", value)]) for value in ("a", "b", "b", 7, 7, 7, True)]
    store.write(batch([*rows, *ROWS], [log("hello", [("k", "log")])]))
    assert store.attribute_values(Signal.TRACES, "k") == [("7", "i"), ("b", "s"), ("a", "s"), ("true", "b")]
    assert store.attribute_values(Signal.TRACES, "k", limit=1) == [("7", "i")]
    assert store.attribute_values(Signal.TRACES, "k", prefix="b") == [("b", "s")]
    assert store.attribute_values(Signal.TRACES, "event.key", Level.EVENT) == [("e", "s")]
    assert store.attribute_values(Signal.TRACES, "link.key", Level.LINK) == [("l", "s")]
    assert store.attribute_values(Signal.TRACES, "host", Level.RESOURCE) == [("node", "s")]
    assert store.attribute_values(Signal.TRACES, "team", Level.SCOPE) == [("blue", "s")]
    assert store.attribute_values(Signal.LOGS, "k") == [("log", "s")]
    assert store.attribute_values(Signal.LOGS, "k", Level.LINK) == []
    assert store.attribute_values(Signal.TRACES, "missing") == []
