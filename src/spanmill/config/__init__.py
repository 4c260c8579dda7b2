"""Reads the YAML: several files, references, defaults, and every problem with its place."""
