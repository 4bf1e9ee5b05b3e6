"""The running service: receivers, journal, pipeline, processors, query API."""

import os

# gRPC's core writes lines of its own among ours, one for each failed TLS handshake and each call with metadata that it
# cannot read (`grpc-encoding: zstd`); it looks here when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
