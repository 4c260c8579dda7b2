"""Judging answers of models with models: evaluators, questions, verdicts; clients of models and their limits."""
