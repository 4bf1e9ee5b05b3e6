"""Zipkin v2 JSON, both ways."""
