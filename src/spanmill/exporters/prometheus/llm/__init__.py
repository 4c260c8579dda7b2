"""Metrics of LLM calls, counted from the spans of a traces pipeline."""
