"""The gen_ai_normalizer processor: fills the LLM columns from whatever convention the attributes follow."""
