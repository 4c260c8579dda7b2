"""The forward connector: joins pipelines of the same signal."""
