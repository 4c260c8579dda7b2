"""How the daemon ends: the one place for exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a supervisor may act on."""

    OK = 0
    """Everything was done; on a stop, everything that was accepted was delivered."""
    CONFIG = 1
    """The configuration is invalid; starting again does not help before it is changed."""
    USAGE = 2
    """The command line makes no sense."""
    START = 3
    """A component could not start: a port in use, a directory not writable."""
    RUNTIME = 4
    """A component died while the daemon ran."""
    UNDELIVERED = 5
    """The shutdown deadline passed, and accepted data that was only in memory is lost; or a replay has not delivered
    everything."""
