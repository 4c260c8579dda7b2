"""The debug exporter: what came through, for people to read."""
