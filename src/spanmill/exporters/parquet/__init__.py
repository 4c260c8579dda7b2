"""The parquet exporter: Hive-partitioned Parquet files, each row exactly once."""
