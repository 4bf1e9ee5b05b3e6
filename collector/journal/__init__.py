"""The durable ingest journal."""
