"""Decode, validate, journal, process, store: the way of a request through Baton."""
