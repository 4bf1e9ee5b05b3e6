"""What every gRPC server of Baton's is told about its connections."""

MIN_PING_INTERVAL_SECONDS = 5.0  # Collectors and Jaeger ping every 10 s; grpc itself disconnects below 5 min
_MAX_METADATA_BYTES = 2**16  # as much as of headers over HTTP; grpc itself refuses at random between 8 and 16 KiB


def connection_options(max_request_bytes: int, min_ping_interval_seconds: float) -> list[tuple[str, int]]:
    """Return options of a grpc server; one that is misspelled does nothing, without a word."""
    return [
        ("grpc.max_receive_message_length", max_request_bytes),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.so_reuseport", 0),  # two processes on one port would share its clients without a word
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(min_ping_interval_seconds * 1000)),
    ]
