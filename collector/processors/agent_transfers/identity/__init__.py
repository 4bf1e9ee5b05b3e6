"""Which agent a span runs, convention by convention. A new convention is one small module here plus captures."""
