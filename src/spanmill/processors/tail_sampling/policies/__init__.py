"""Sampling policies: compiled once, then asked about the traces that are due, all of them at once.

`Policies` is all that others need. Within: `matching` turns policies that say yes or no into SQL over a trace,
`columns` gives what the SQL refers to, `query` asks DuckDB once for all of them, `rules` combines the answers with
shares and rates as thresholds, `limits` are the rates. `misfits` says what in the configuration cannot be compiled.
"""

from spanmill.processors.tail_sampling.policies.policies import Policies
from spanmill.processors.tail_sampling.policies.verdicts import Traces, Verdicts

__all__ = ["Policies", "Traces", "Verdicts"]
