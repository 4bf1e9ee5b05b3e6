"""What Grafana's search form writes: fields that it offers by itself, ids and times of events in its own spelling.

A value that the form was not offered is quoted unless it looks like a number or a truth: grafana-tempo-datasource
`src/SearchTraceQLEditor/SearchField.tsx`, August 2026.
"""

import uuid
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from storage.api import Batch, Storage
from storage.queries import Signal
from storage.schemas import AGENT_SPANS, LOGS
from tests.component.query.shop import MS, T0, resource, span
from tests.stored import table

FIRST = bytes.fromhex("0a000000000000000000000000000001")
SECOND = bytes.fromhex("0b000000000000000000000000000002")
NAMES = {FIRST.hex(): "first", SECOND.hex(): "second"}


def message() -> bytes:
    linked = Span.Link(trace_id=FIRST, span_id=bytes.fromhex("00000000000000ab"))
    events = [
        Span.Event(time_unix_nano=T0 + MS, name="1"),
        Span.Event(time_unix_nano=T0 + 3 * MS, name="sent"),
    ]
    spans = [
        span(FIRST, 0xAB, 0, "true", 0, 9, events=events),
        span(FIRST, 0x12, 0xAB, "child", 1, 2),
        span(SECOND, 0xCD, 0, "follows", 5, 1, links=[linked]),
    ]
    scope = InstrumentationScope(name="form", version="2.0")
    scopes = [ScopeSpans(scope=scope, spans=spans)]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource("form"), scope_spans=scopes)]
    ).SerializeToString()


@pytest.fixture(scope="module", autouse=True)
def _stored(storage: Storage) -> None:
    storage.purge()
    name = f"tempo-form-{uuid.uuid4()}"
    storage.write(Batch(name, table(Signal.TRACES, message()), LOGS.empty_table(), AGENT_SPANS.empty_table()))


def found(http: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = http.get("/tempo/api/search", params={"q": query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["traces"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{span:id="00000000000000ab"}', "first/true"),
        ('{span:id="00000000000000AB"}', "first/true"),
        ('{span:id="ab"}', "first/true"),
        ("{span:id=0000000000000012}", "first/child"),
        ('{(span:id="ab" || span:id="cd")}', "second/follows first/true"),
        ('{span:id=~"00000000000000AB|00000000000000cd"}', "second/follows first/true"),
        ('{span:id!="00000000000000ab" && span:id!="12"}', "second/follows"),
        ('{span:id="00000000000000ab00"}', ""),
        ('{span:id="no id"}', ""),
        ('{span:parentID="00000000000000ab"}', "first/child"),
        ('{span:parentID=""}', "second/follows first/true"),
        ('{span:parentID="abcdefghi"}', ""),
        (f'{{trace:id="{FIRST.hex().upper()}"}}', "first/child,true"),
        (f'{{trace:id="{FIRST.hex()[1:]}" && span:id="12"}}', "first/child"),
        (f'{{trace:id="{FIRST.hex()}" || link:spanID != nil}}', "second/follows first/child,true"),
        (f'{{trace:id="{FIRST.hex()}" && rootName="true"}}', "first/child,true"),
        (f'{{trace:id!="{FIRST.hex()}"}}', "second/follows"),
        ('{trace:id="no id"}', ""),
        (f'{{link:traceID="{FIRST.hex()}"}}', "second/follows"),
        (f'{{link:traceID="{FIRST.hex()}" && link:spanID="AB"}}', "second/follows"),
        (f'{{link:traceID="{SECOND.hex()}"}}', ""),
        (f'{{link:traceID!="{SECOND.hex()}"}}', "second/follows"),
        ('{link:spanID=~".*ab"}', "second/follows"),
        ('{link:spanID!~".*ab"}', ""),
        ("{link:traceID=nil}", "first/child,true"),
        ('{event:timeSinceStart>"2ms"}', "first/true"),
        ("{event:timeSinceStart>=3ms && event:timeSinceStart<2ms}", "first/true"),
        ("{event:timeSinceStart=1000000}", "first/true"),
        ("{event:timeSinceStart!=1ms}", ""),
        ("{event:timeSinceStart>4ms}", ""),
        ('{event:name="sent"}', "first/true"),
        ("{event:name=1}", "first/true"),
        ('{event:name!="other"}', "first/true"),
        ("{instrumentation:version=2.0}", "second/follows first/child,true"),
        ('{instrumentation:name=~"fo.*"}', "second/follows first/child,true"),
        ("{name=true}", "first/true"),
        ("{rootName=true}", "first/child,true"),
        ('{span:duration>"8ms"}', "first/true"),
    ],
)
def test_fields_that_the_form_offers(http: httpx.Client, query: str, expected: str) -> None:
    shown = [
        f"{NAMES[trace['traceID']]}/{','.join(sorted(each['name'] for each in trace['spanSet']['spans']))}"
        for trace in found(http, query)
    ]
    assert " ".join(shown) == expected


def test_what_is_shown_of_links_events_and_parents(http: httpx.Client) -> None:
    query = "{} | select(span:parentID, event:name, event:timeSinceStart, link:traceID, link:spanID, span:id)"
    rows = {
        row["name"]: {each["key"]: each["value"]["stringValue"] for each in row["attributes"]}
        for trace in found(http, query)
        for row in trace["spanSet"]["spans"]
    }
    assert rows == {
        "true": {"event:name": "1", "event:timeSinceStart": "1ms"},
        "child": {"span:parentID": "00000000000000ab"},
        "follows": {"link:traceID": FIRST.hex(), "link:spanID": "00000000000000ab"},
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('{span:id>"ab"}', "position 9: has no order; use =, !=, =~ or !~"),
        ('{event:timeSinceStart=~"2ms"}', "position 23: a duration is no text to match"),
        ("{event:timeSinceStart>soon}", "position 22: expected a duration such as 10ms"),
        ("{link:spanID=ab}", "position 13: expected a quoted text"),
        ('{rootName>"a"}', "position 10: has no order; use =, !=, =~ or !~"),
    ],
)
def test_mistakes(http: httpx.Client, query: str, message: str) -> None:
    answer = http.get("/tempo/api/search", params={"q": query})
    assert (answer.status_code, answer.text) == (400, f"invalid q at {message}")


def test_every_field_that_the_form_offers_is_known(http: httpx.Client) -> None:
    scopes = {each["name"]: each["tags"] for each in http.get("/tempo/api/v2/search/tags").json()["scopes"]}
    offered = "duration kind name rootName rootServiceName status statusMessage traceDuration event:name"
    offered += " event:timeSinceStart instrumentation:name instrumentation:version link:spanID link:traceID"
    offered += " span:duration span:id span:kind span:name span:parentID span:status span:statusMessage"
    offered += " trace:duration trace:id trace:rootName trace:rootService"
    assert sorted(scopes["intrinsic"]) == sorted(offered.split())
