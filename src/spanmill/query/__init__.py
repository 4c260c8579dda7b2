"""SQL over what was stored: `spanmill query`. Knows the stores' files, not the daemon."""

from spanmill.query.run import Output, run_query

__all__ = ["Output", "run_query"]
