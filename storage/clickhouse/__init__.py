"""ClickHouse behind the storage port: one SQL for the embedded engine and for a server."""
