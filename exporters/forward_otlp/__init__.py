"""OTLP to any endpoint, over gRPC or HTTP."""
