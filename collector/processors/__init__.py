"""Processors of the pipeline."""
