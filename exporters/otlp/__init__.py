"""OTLP protobuf and JSON from stored spans and log records."""
