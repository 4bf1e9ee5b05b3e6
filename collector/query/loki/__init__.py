"""Grafana's Loki data source, under /loki: log search, live tail, log volume, labels, in the LogQL they need."""
