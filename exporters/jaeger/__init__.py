"""Jaeger JSON (HTTP API v1 and v3) from stored spans."""
