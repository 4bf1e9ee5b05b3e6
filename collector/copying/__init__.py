"""`baton copy`: everything one store holds, into another."""
