"""Storage: the ports every engine implements, the Arrow schemas they exchange, and the engines."""
