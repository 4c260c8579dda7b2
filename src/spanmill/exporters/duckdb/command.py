"""`spanmill rebuild-duckdb` from beginning to end."""

import sys
from pathlib import Path

from spanmill.exit_codes import ExitCode
from spanmill.exporters.duckdb.rebuild import CannotRebuild, rebuild
from spanmill.storage.commits import CorruptLog


def run_rebuild(path: Path, source: Path | None) -> int:
    """Make the file, say what is in it or what is wrong; the exit code."""
    try:
        rows = rebuild(path, source)
    except (CannotRebuild, CorruptLog) as error:
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    except OSError as error:
        sys.stderr.write(f"{error.filename or path}: {error.strerror or error}\n")
        return ExitCode.USAGE
    sys.stdout.write(f"{path}: {', '.join(f'{count:,} {name}' for name, count in rows.items())}\n")
    return ExitCode.OK
