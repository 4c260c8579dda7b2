"""Sending again what is on disk: dead letters, stored rows, records of journals.

`run_replay(options)` is all that the command line needs. A *source* is a path; it gives *pieces*, each small enough
for memory; each piece is sent by an exporter of the project's own, and tried again while the other side is busy.
"""

from spanmill.replay.options import Configured, Options, Selection, Target
from spanmill.replay.run import run_replay

__all__ = ["Configured", "Options", "Selection", "Target", "run_replay"]
