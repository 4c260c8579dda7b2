"""The llm_judge processor: a model scores a share of the calls, beside the flow and within a budget."""
