"""The filter processor: drops rows for which an SQL condition holds."""
