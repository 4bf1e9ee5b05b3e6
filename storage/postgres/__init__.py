"""The PostgreSQL engine: tables partitioned by day, written with binary COPY."""
