"""An end is within the range in every API of Jaeger's: also the last nanosecond that can be sent."""

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.datastructures import QueryParams

from collector.query.jaeger.parameters import trace_request
from collector.query.jaeger.v3_parameters import search_request
from collector.query.jaeger_grpc.queries import range_of
from exporters.jaeger.generated.api_v2_pb2 import TraceQueryParameters
from storage.queries import TimeRange

ALL = TimeRange(0, 2**64)


def test_v1() -> None:
    params = QueryParams(f"service=a&start=0&end={10**17}")
    assert trace_request(params, 0, 10).query.time == ALL


def test_v3() -> None:
    params = QueryParams("query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=9999-01-01T00:00:00Z")
    assert search_request(params, 10).query.time == ALL


def test_grpc() -> None:
    for last in ({}, {"start_time_max": Timestamp(seconds=10**11)}):
        assert range_of(TraceQueryParameters(**last), "start_time_min", "start_time_max") == ALL
