"""What a client of the Jaeger gRPC server may do with its connection."""

import time

import grpc

from collector.loop_thread import LoopThread
from collector.query.jaeger_grpc.server import JaegerGrpcServer, JaegerGrpcSettings
from storage.api import Storage


def test_clients_may_keep_idle_connections_alive_with_pings(storage: Storage) -> None:
    states: list[grpc.ChannelConnectivity] = []
    pings = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with LoopThread("test-grpc") as thread:
        server = JaegerGrpcServer(JaegerGrpcSettings("127.0.0.1", 0, min_ping_interval_seconds=0.5), storage, thread)
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=pings) as channel:
            channel.subscribe(states.append, try_to_connect=True)
            time.sleep(4.6)  # the fourth ping is the one too many
        server.close()
    assert states[-1] is grpc.ChannelConnectivity.READY
    assert states.count(grpc.ChannelConnectivity.READY) == 1
