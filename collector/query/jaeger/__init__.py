"""Jaeger's HTTP API, both generations: what its UI, Grafana's data source and scripts call."""
