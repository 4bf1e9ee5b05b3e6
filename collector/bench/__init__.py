"""`baton bench`: drives a real `baton serve` and reports what it did, beside what the engine alone can do."""
