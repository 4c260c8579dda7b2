"""The memory_limiter processor: refuses data while memory is short."""
