"""The HTTP side: query API, Jaeger API, health."""
