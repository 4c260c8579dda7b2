"""The tail_sampling processor: whole traces are kept or dropped, once enough of them is known."""
