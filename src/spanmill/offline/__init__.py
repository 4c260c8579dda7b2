"""Judging stored rows, gates for CI, and data sets: `spanmill evaluate`, `gate` and `dataset`."""
