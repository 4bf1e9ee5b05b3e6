"""Grafana's Tempo data source, under /tempo: trace by id, search in TraceQL, names to search for."""
