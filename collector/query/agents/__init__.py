"""Agents, their transfers and their conversations: routes under /api/v1."""
