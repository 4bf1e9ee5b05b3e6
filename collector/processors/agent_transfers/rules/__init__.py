"""The transfer rules: one small module per signal. `registry.py` lists them; a new convention is one more module."""
