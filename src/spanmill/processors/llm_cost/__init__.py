"""The llm_cost processor: what each call of a model cost, counted once."""
