"""`baton demo`: a support desk of several services and agents, told through the standard OTLP exporter."""
