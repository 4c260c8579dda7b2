"""The duckdb exporter: a DuckDB database that others can query meanwhile."""
