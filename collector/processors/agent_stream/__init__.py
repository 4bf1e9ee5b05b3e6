"""Agents in the stream: marks agentic rows at ingest, and runs the transfer rules over groups that went quiet."""
