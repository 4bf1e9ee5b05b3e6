"""The running service: receivers, journal, pipeline, processors, query API."""
