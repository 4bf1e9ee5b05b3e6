"""Traces in the form of Grafana Tempo."""
