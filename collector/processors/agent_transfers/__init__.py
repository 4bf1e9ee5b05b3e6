"""Agent transfers: who handed work to whom, read from spans and log records of any framework. Pure; no I/O.

Read in this order: `model` (values), `semantics` (a span's fields), `identity` (the agent a span runs), `activations`
(runs of agents), `rules` (who asked for a transfer), `claims` (which run answered), `detect` (all together), `grouping`
(which traces belong together).
"""
