"""Agent transfers: who handed work to whom, read from spans and log records of any framework. Pure; no I/O.

Read in this order: `model` (values), `semantics` (one span's fields), `identity` (which agent a span runs), `activations`
(runs of agents), `rules` (who asked for a transfer), `claims` (which run answered), `detect` (all together), `grouping`
(which traces belong together).
"""
