"""What callers write in query parameters, read into the storage port's values."""
