"""Sending telemetry on: a durable queue of journal segments for each exporter, and the thread that empties it."""
