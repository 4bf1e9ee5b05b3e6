"""OTLP on the wire, in columns."""
