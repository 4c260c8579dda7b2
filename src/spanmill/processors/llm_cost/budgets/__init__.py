"""Budgets: what calls of models cost by hour, day and month, and a webhook when a share of a limit is spent."""
